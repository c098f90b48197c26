"""Finds what rules alert about, and stores a delivery for each alert.

Two sources: the stream of events (a run failed, succeeded, started late, was missed), and queries for what lasts (a run
that is queued or running for too long, a worker that claims no runs). Several dispatchers may run a detector. The
events are read under the lock of the observer's cursor, so each batch has one reader. Queries are repeated by all of
them, and the key of a delivery, unique within its rule, drops the repetitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import product

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.events import Event, Position
from scheduler_service.domain.records import Worker
from scheduler_service.features.alerts import deliveries, store
from scheduler_service.features.alerts.records import AlertRule, Overdue
from scheduler_service.features.alerts.rules import (
    Alert,
    AlertKind,
    Failure,
    StateChange,
    key_of,
    key_of_worker,
    kinds_of,
)
from scheduler_service.storage import events, logs, runs, workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

OBSERVER = "alerts"
BATCH = 500
CHECK_SECONDS = 1.0
IDLE_SECONDS = 5.0
"""The rest while there are no rules."""
LOG_TAIL_BYTES = 2000
# The database dates events, the process that ended a run dates the run.
_CLOCK_SKEW = timedelta(seconds=2)
_ALERTING_CHANGES = frozenset({"success", "failed", "missed", "running"})

_Found = tuple[AlertRule, str, Alert]
"""A rule, the key of the delivery, and the alert."""


class AlertDetector:
    """Turns events and overdue runs into deliveries, at most one for each rule, kind and run."""

    def __init__(self, database: Database, clock: Clock, on_delivery: Callable[[], None]) -> None:
        """Read this database. `on_delivery` is called when there may be a new delivery to send."""
        self._database = database
        self._clock = clock
        self._on_delivery = on_delivery

    async def check_events(self) -> float:
        """Check new events. Return the seconds until the next check."""
        if await self._is_behind():
            while await self._read_events() == BATCH:
                pass
            self._on_delivery()
        return CHECK_SECONDS

    async def check_lasting(self) -> float:
        """Check overdue runs and unfit workers. Return the seconds until the next check."""
        now = self._clock.now()
        async with self._database.read() as connection:
            rules = await _enabled_rules(connection)
            found = [*await _find_overdue(connection, rules, now), *await _find_unfit(connection, rules, now)]
        if found:
            async with self._database.write() as connection:
                for rule, key, alert in found:
                    await deliveries.add(connection, rule.id, key, alert, now)
            self._on_delivery()
        return CHECK_SECONDS if rules else IDLE_SECONDS

    async def _is_behind(self) -> bool:
        async with self._database.read() as connection:
            return await events.is_behind(connection, OBSERVER)

    async def _read_events(self) -> int:
        """Read a batch of events in one transaction, and return their number.

        1. Lock the observer's cursor, so that no other process reads the same events.
        2. Store a delivery for each event and each rule that it concerns.
        3. Move the cursor past all of them.
        """
        async with self._database.write() as connection:
            position = await events.lock_cursor(connection, OBSERVER)
            if position is None:
                return 0
            rules = await _enabled_rules(connection)
            if not rules:
                await _skip_events(connection, position)
                return 0
            batch = await events.after(connection, position, BATCH)
            for event in batch:
                if event.subject == "run" and event.change in _ALERTING_CHANGES:
                    await self._apply_rules(connection, event, rules)
            if batch:
                await events.move_cursor(connection, OBSERVER, batch[-1].position)
            return len(batch)

    async def _apply_rules(self, connection: AsyncConnection, event: Event, rules: Sequence[AlertRule]) -> None:
        was_failing = False
        if event.change == "failed":
            await store.note_failure(connection, event.job_id, event.at)
        elif event.change == "success":
            was_failing = await store.note_success(connection, event.job_id)
        for rule in rules:
            if rule.covers(event.job_id, event.owner_id):
                await self._apply_rule(connection, event, rule, was_failing=was_failing)

    async def _apply_rule(
        self, connection: AsyncConnection, event: Event, rule: AlertRule, *, was_failing: bool
    ) -> None:
        assert event.run_id is not None  # noqa: S101 (events of runs have one)
        change = StateChange(
            change=event.change,
            at=event.at,
            run_id=event.run_id,
            lateness_seconds=event.lateness_seconds,
            was_failing=was_failing,
            failures=await _count_failures(connection, event, rule),
        )
        for kind in kinds_of(change, rule.wanted, rule.thresholds):
            if kind is AlertKind.FLAPPING and await _has_flapping_alert(connection, rule, event):
                continue
            alert = await _alert_of(connection, event, change, kind)
            await deliveries.add(connection, rule.id, key_of(kind, change.run_id), alert, self._clock.now())


async def _find_overdue(connection: AsyncConnection, rules: Sequence[AlertRule], now: datetime) -> list[_Found]:
    """Return alerts about runs that are queued or running for too long."""
    return [
        (rule, key_of(kind, overdue.run_id), _overdue_alert(overdue, kind, seconds, now))
        for rule in rules
        for kind, seconds in _limits_of(rule)
        for overdue in await _list_overdue(connection, rule, kind, now - timedelta(seconds=seconds))
    ]


async def _find_unfit(connection: AsyncConnection, rules: Sequence[AlertRule], now: datetime) -> list[_Found]:
    """Return alerts about workers that take no runs, with another key in each window of a rule while that lasts."""
    about_workers = [rule for rule in rules if _is_about_workers(rule)]
    unfit = await workers.unfit(connection) if about_workers else []
    return [
        (rule, key_of_worker(worker.id, now, rule.window_seconds), _unfit_alert(worker, now))
        for rule, worker in product(about_workers, unfit)
    ]


async def _skip_events(connection: AsyncConnection, position: Position) -> None:
    """Move the cursor to the newest event, since no rule is enabled."""
    if (newest := await events.newest(connection)) > position:
        await store.clear_failing(connection)
        await events.move_cursor(connection, OBSERVER, newest)


async def _enabled_rules(connection: AsyncConnection) -> list[AlertRule]:
    return [rule for rule in await store.list_rules(connection) if rule.enabled]


async def _count_failures(connection: AsyncConnection, event: Event, rule: AlertRule) -> int:
    """Count the failed runs of the event's job within the rule's window; 0 if the rule does not need it."""
    if event.change != "failed" or AlertKind.FLAPPING not in rule.wanted:
        return 0
    since = event.at - timedelta(seconds=rule.window_seconds)
    return await store.count_failures(connection, event.job_id, since, event.at + _CLOCK_SKEW)


async def _has_flapping_alert(connection: AsyncConnection, rule: AlertRule, event: Event) -> bool:
    """Return whether the rule alerted about this job less than a window ago. The caller holds the cursor's lock."""
    last_at = await deliveries.last_alert_at(connection, rule.id, AlertKind.FLAPPING, event.job_id)
    return last_at is not None and event.at - last_at < timedelta(seconds=rule.window_seconds)


async def _alert_of(connection: AsyncConnection, event: Event, change: StateChange, kind: AlertKind) -> Alert:
    return Alert(
        kind=kind,
        job_id=event.job_id,
        job_name=event.job_name or f"job {event.job_id}",
        owner_id=event.owner_id or "",
        run_id=change.run_id,
        at=event.at,
        reason=event.reason,
        seconds=event.lateness_seconds,
        count=change.failures if kind is AlertKind.FLAPPING else _missed_count(event),
        failure=await _failure_of(connection, change.run_id) if event.change == "failed" else None,
    )


def _missed_count(event: Event) -> int | None:
    # The event of a run that its start deadline turned into a missed one has no count.
    return event.missed_count or (1 if event.change == "missed" else None)


async def _failure_of(connection: AsyncConnection, run_id: int) -> Failure | None:
    """Return how a run failed; None if the run was deleted."""
    run = await runs.find(connection, run_id)
    if run is None:
        return None
    tail = (await logs.tails(connection, [run], LOG_TAIL_BYTES)).get(run_id, b"").decode("utf-8", "ignore")
    if run.log_bytes > LOG_TAIL_BYTES:
        tail = tail.partition("\n")[2] or tail  # from the start of a line
    return Failure(attempt=run.attempt, exit_code=run.exit_code, signal=run.signal, message=run.message, log_tail=tail)


def _limits_of(rule: AlertRule) -> Iterator[tuple[AlertKind, float]]:
    """Yield the kinds of alert about what lasts that a rule asks for, each with its limit in seconds."""
    limits = {AlertKind.TOO_LONG: rule.too_long_seconds, AlertKind.LATE: rule.late_seconds}
    return ((kind, seconds) for kind, seconds in limits.items() if kind in rule.wanted)


async def _list_overdue(
    connection: AsyncConnection, rule: AlertRule, kind: AlertKind, before: datetime
) -> list[Overdue]:
    find = store.list_too_long if kind is AlertKind.TOO_LONG else store.list_late
    return await find(connection, rule, before)


def _overdue_alert(overdue: Overdue, kind: AlertKind, seconds: float, now: datetime) -> Alert:
    return Alert(
        kind=kind,
        job_id=overdue.job_id,
        job_name=overdue.job_name,
        owner_id=overdue.owner_id,
        run_id=overdue.run_id,
        at=now,
        seconds=max(seconds, (now - overdue.since).total_seconds()),
    )


def _is_about_workers(rule: AlertRule) -> bool:
    """Return whether a rule alerts about workers. A rule about one job, or one owner's jobs, does not."""
    return AlertKind.WORKER_UNFIT in rule.wanted and rule.job_id is None and rule.owner_id is None


def _unfit_alert(worker: Worker, now: datetime) -> Alert:
    return Alert(
        kind=AlertKind.WORKER_UNFIT, job_id=None, job_name="", owner_id="", run_id=None, at=now,
        worker=worker.id, message=worker.unfit_reason,
    )  # fmt: skip
