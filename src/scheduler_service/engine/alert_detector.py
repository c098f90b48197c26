"""Finding what people want to hear of: in the stream of events, and in what goes on for too long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import product

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.alerting import Alert, AlertKind, Change, Failure, key_of, key_of_worker, kinds_of
from scheduler_service.domain.events import Event
from scheduler_service.domain.records import Worker
from scheduler_service.storage import alerts, deliveries, events, logs, runs, workers
from scheduler_service.storage.alerts import AlertRule, Overdue
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

OBSERVER = "alerts"
BATCH = 500
LOOK_SECONDS = 1.0
LOG_TAIL_BYTES = 2000
# Events are dated by the database, runs by whoever ended them.
_CLOCKS_APART = timedelta(seconds=2)
_TELLING = frozenset({"success", "failed", "missed", "running"})


class AlertDetector:
    """Turns what happened into deliveries. Of several processes one moves on at a time; nothing is told twice."""

    def __init__(self, database: Database, clock: Clock, on_find: Callable[[], None]) -> None:
        """AlertDetector this database; `on_find` is called when there may be something to deliver."""
        self._database = database
        self._clock = clock
        self._on_find = on_find

    async def look(self) -> float:
        """Check new events and what is still going on. Return the seconds until the next check."""
        if await self._is_behind():
            while await self._read_events() == BATCH:
                pass
            self._on_find()
        await self._find_overdue()
        return LOOK_SECONDS

    async def _is_behind(self) -> bool:
        async with self._database.read() as connection:
            return await events.is_behind(connection, OBSERVER)

    async def _read_events(self) -> int:
        """Read a batch of events, in one transaction.

        1. Take the observer's place, for no other process to read the same.
        2. Find which rules each event concerns, and store a delivery for each.
        3. Move on, also past what concerns nobody.
        """
        async with self._database.write() as connection:
            position = await events.lock_cursor(connection, OBSERVER)
            if position is None:
                return 0
            rules = [rule for rule in await alerts.every(connection) if rule.enabled]
            if not rules:
                if (newest := await events.newest(connection)) > position:
                    await alerts.forget_failing(connection)
                    await events.move_cursor(connection, OBSERVER, newest)
                return 0
            batch = await events.after(connection, position, BATCH)
            for event in batch:
                if event.subject == "run" and event.change in _TELLING:
                    await self._judge(connection, event, rules)
            if batch:
                await events.move_cursor(connection, OBSERVER, batch[-1].position)
            return len(batch)

    async def _judge(self, connection: AsyncConnection, event: Event, rules: list[AlertRule]) -> None:
        was_failing = False
        if event.change == "failed":
            await alerts.note_failing(connection, event.job_id, event.at)
        elif event.change == "success":
            was_failing = await alerts.note_well(connection, event.job_id)
        for rule in rules:
            if rule.covers(event.job_id, event.owner_id):
                await self._tell(connection, event, rule, was_failing=was_failing)

    async def _tell(self, connection: AsyncConnection, event: Event, rule: AlertRule, *, was_failing: bool) -> None:
        failures = 0
        if event.change == "failed" and AlertKind.FLAPPING in rule.wanted:
            since = event.at - timedelta(seconds=rule.window_seconds)
            failures = await alerts.count_failures(connection, event.job_id, since, event.at + _CLOCKS_APART)
        assert event.run_id is not None  # noqa: S101 (events of runs have one)
        change = Change(
            change=event.change,
            at=event.at,
            run_id=event.run_id,
            lateness_seconds=event.lateness_seconds,
            was_failing=was_failing,
            failures=failures,
        )
        for kind in kinds_of(change, rule.wanted, rule.thresholds):
            if kind is AlertKind.FLAPPING and await _is_told(connection, rule, event):
                continue
            alert = Alert(
                kind=kind,
                job_id=event.job_id,
                job_name=event.job_name or f"job {event.job_id}",
                owner_id=event.owner_id or "",
                run_id=event.run_id,
                at=event.at,
                reason=event.reason,
                seconds=event.lateness_seconds,
                count=failures if kind is AlertKind.FLAPPING else event.missed_count,
                failure=await _failure_of(connection, event.run_id) if event.change == "failed" else None,
            )
            await deliveries.add(connection, rule.id, key_of(kind, event.run_id), alert, self._clock.now())

    async def _find_overdue(self) -> None:
        async with self._database.read() as connection:
            rules = [rule for rule in await alerts.every(connection) if rule.enabled]
            found = [
                (rule, AlertKind.TOO_LONG, rule.too_long_seconds, overdue)
                for rule in rules
                if AlertKind.TOO_LONG in rule.wanted
                for overdue in await alerts.running_since(connection, rule, self._before(rule.too_long_seconds))
            ] + [
                (rule, AlertKind.LATE, rule.late_seconds, overdue)
                for rule in rules
                if AlertKind.LATE in rule.wanted
                for overdue in await alerts.due_since(connection, rule, self._before(rule.late_seconds))
            ]
            about_workers = [rule for rule in rules if _wants_unfit(rule)]
            unfit = await workers.unfit(connection) if about_workers else []
        if unfit:
            await self._tell_unfit(about_workers, unfit)
        if found:
            async with self._database.write() as connection:
                for rule, kind, seconds, overdue in found:
                    await self._tell_overdue(connection, rule, kind, seconds, overdue)
            self._on_find()

    async def _tell_unfit(self, rules: Sequence[AlertRule], unfit: Sequence[Worker]) -> None:
        """Store alerts about workers that take no runs, again in each window of a rule while that lasts."""
        now = self._clock.now()
        async with self._database.write() as connection:
            for rule, worker in product(rules, unfit):
                key = key_of_worker(worker.id, now, rule.window_seconds)
                await deliveries.add(connection, rule.id, key, _unfit(worker, now), now)
        self._on_find()

    def _before(self, seconds: float) -> datetime:
        return self._clock.now() - timedelta(seconds=seconds)

    async def _tell_overdue(
        self, connection: AsyncConnection, rule: AlertRule, kind: AlertKind, seconds: float, overdue: Overdue
    ) -> None:
        now = self._clock.now()
        alert = Alert(
            kind=kind,
            job_id=overdue.job_id,
            job_name=overdue.job_name,
            owner_id=overdue.owner_id,
            run_id=overdue.run_id,
            at=now,
            seconds=max(seconds, (now - overdue.since).total_seconds()),
        )
        await deliveries.add(connection, rule.id, key_of(kind, overdue.run_id), alert, now)


def _wants_unfit(rule: AlertRule) -> bool:
    """Return whether a rule tells of workers: one for a job, or for an owner's, does not."""
    return rule.enabled and AlertKind.WORKER_UNFIT in rule.wanted and rule.job_id is None and rule.owner_id is None


def _unfit(worker: Worker, now: datetime) -> Alert:
    return Alert(
        kind=AlertKind.WORKER_UNFIT, job_id=None, job_name="", owner_id="", run_id=None, at=now,
        worker=worker.id, message=worker.unfit_reason,
    )  # fmt: skip


async def _failure_of(connection: AsyncConnection, run_id: int) -> Failure | None:
    """Return how a run failed; None if it is gone."""
    run = await runs.find(connection, run_id)
    if run is None:
        return None
    tail = (await logs.tails(connection, [run], LOG_TAIL_BYTES)).get(run_id, b"").decode("utf-8", "ignore")
    if run.log_bytes > LOG_TAIL_BYTES:
        tail = tail.partition("\n")[2] or tail  # from the start of a line
    return Failure(attempt=run.attempt, exit_code=run.exit_code, signal=run.signal, message=run.message, log_tail=tail)


async def _is_told(connection: AsyncConnection, rule: AlertRule, event: Event) -> bool:
    """Return whether people heard of this job's failures less than a window ago; the observer's place is locked."""
    told_at = await deliveries.last_told_at(connection, rule.id, AlertKind.FLAPPING, event.job_id)
    return told_at is not None and event.at - told_at < timedelta(seconds=rule.window_seconds)
