"""The dispatcher: fires due jobs and notifies workers of runs whose wait is over.

Theory of operation. A tick reads the earliest due instants without a lock. If something is due, it ends pauses, fires
jobs, misses runs that are past their start deadline, and releases runs. It does so in short transactions, sends notices
after each commit, and repeats until nothing is due. A tick whose instant the one before has foreseen only fires. The
next one reads, when the notices are on their way. Any number of dispatchers may run. Row locks divide the work between
them, and the ledger prevents duplicates.

On SQLite, the commit of an ordinary fire does not wait for the disk, as that of a claim does not. A power failure can
undo the run together with the job's move and all that was written later, and the instant is due again. No client was
promised the run. Runs that a client asks for wait for the disk.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog

from scheduler_service.brokers.base import Broker
from scheduler_service.domain.pauses import after_pause
from scheduler_service.domain.quotas import NO_QUOTAS, Quotas
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.errors import InvalidInputError
from scheduler_service.storage import deadlines, dispatchers, ledger, pauses, transitions
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.due_fires import fire_due, fire_ordinary
from scheduler_service.storage.ledger import Earliest
from scheduler_service.telemetry import tracing

BATCH = 2000
# Workers that are woken by a notice find the other runs in the database, so a herd needs no notice for each run.
MAX_NOTICES = 1000
NOTE_SECONDS = 2.0
# A look for what is due next would take the processor from the notices, or from the claim of a worker in this process.
AFTER_FIRE_SECONDS = 0.003

log = structlog.get_logger(__name__)


class Dispatcher:
    """Turns due instants into ledger rows, and rows into notices."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        clock: Clock,
        *,
        tick_seconds: float,
        note_change: Callable[[int], None] = lambda _: None,
        quotas: Quotas = NO_QUOTAS,
    ) -> None:
        """Fire with `quotas` for owners that have no others.

        Rest at most `tick_seconds` between ticks. Each tick calls `note_change` with the newest change.

        A job created by another process can wait that long to be noticed.
        """
        self._database = database
        self._direct = database.direct(plans_once=False)
        self._broker = broker
        self._clock = clock
        self._tick_seconds = tick_seconds
        self._note_change = note_change
        self._quotas = quotas
        self._ticked_at: datetime | None = None
        # What the last tick has seen, until the instant that it foresaw.
        self._foreseen: Earliest | None = None
        self._notices_left = MAX_NOTICES
        self._id = f"{socket.gethostname()[:40]}-{secrets.token_hex(4)}"

    async def tick(self) -> float:
        """Fire all due jobs, notify workers of released runs, and return the seconds until the next tick."""
        now = self._clock.now()
        self._notices_left = MAX_NOTICES
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is not None and _is_due(foreseen.due_at, now) and not _is_due(foreseen.paused_until, now):
            await _repeat(self._fire, now)
            self._ticked_at = self._clock.now()
            return AFTER_FIRE_SECONDS
        earliest = await self._read_earliest_due()
        if _is_due(earliest.paused_until, now):
            await _repeat(self._end_pauses, now)
            earliest = await self._read_earliest_due()
        steps = (
            (earliest.due_at, self._fire),
            (earliest.start_by, self._miss_late_runs),
            (earliest.waits_until, self._release),
        )
        for due_at, step in steps:
            if _is_due(due_at, now):
                await _repeat(step, now)
        if any(_is_due(due_at, now) for due_at, _ in steps):
            earliest = await self._read_earliest_due()
        self._ticked_at, self._foreseen = self._clock.now(), earliest
        return self._rest_seconds(earliest)

    async def note_tick(self) -> float:
        """Store when the last tick ended. Return the seconds until the next call.

        This is a separate loop, because most ticks write nothing and must not wait for the SQLite writer.
        """
        if self._ticked_at is not None:
            async with self._database.write_once() as connection:
                await dispatchers.note_tick(connection, self._id, self._ticked_at)
        return NOTE_SECONDS

    async def _read_earliest_due(self) -> Earliest:
        # Most checks find nothing. They take no lock, and on SQLite do not need the writer.
        async with self._database.read() as connection:
            earliest = await ledger.earliest_due(connection)
        self._note_change(earliest.newest_change)
        return earliest

    async def _fire(self, now: datetime) -> int:
        """Fire the ordinary jobs of a batch, and then the others. Return the number of due jobs."""
        if not tracing.is_on():
            fire = partial(fire_ordinary, now=now, limit=BATCH, max_notices=self._notices_left, quotas=self._quotas)
            fired = await self._direct.transact(fire, outlives_host=False)
            await self._notify(fired.notices)
            if not fired.left:
                return fired.count
        return await self._fire_one_by_one(now)

    async def _fire_one_by_one(self, now: datetime) -> int:
        trace = tracing.context_for_run if tracing.is_on() else None
        async with self._database.write() as connection:
            fired = await fire_due(
                connection, now, BATCH, max_notices=self._notices_left, trace=trace, quotas=self._quotas
            )
        for job, error in fired.broken:
            log.error("job_paused", job_id=job.id, reason="its schedule cannot be computed", exc_info=error)
        await self._notify(fired.notices)
        return fired.count

    async def _end_pauses(self, now: datetime) -> int:
        async with self._database.write() as connection:
            ended = await pauses.ends_of_pauses(connection, now, BATCH)
            for job in ended:
                await pauses.end_pause(connection, _resume(job))
        return len(ended)

    async def _miss_late_runs(self, now: datetime) -> int:
        async with self._database.write() as connection:
            return await deadlines.miss_late_runs(connection, now, BATCH)

    async def _release(self, now: datetime) -> int:
        async with self._database.write() as connection:
            notices = await transitions.release(connection, now, BATCH)
        await self._notify(notices)
        return len(notices)

    async def _notify(self, notices: Sequence[RunNotice]) -> None:
        """Send the first of these notices, at most `MAX_NOTICES` in a tick."""
        sent = notices[: self._notices_left]
        self._notices_left -= len(sent)
        await self._broker.send(sent)

    def _rest_seconds(self, earliest: Earliest) -> float:
        now = self._clock.now()
        instants: list[datetime | None] = [
            earliest.due_at,
            earliest.start_by,
            earliest.paused_until,
            earliest.waits_until,
        ]
        waits = [(instant - now).total_seconds() for instant in instants if instant is not None]
        return max(0.0, min([self._tick_seconds, *waits]))


async def _repeat(step: Callable[[datetime], Awaitable[int]], now: datetime) -> None:
    """Repeat a step that handles up to `BATCH` rows in a transaction until none is left."""
    while await step(now) == BATCH:
        pass


def _resume(job: Job) -> Job:
    try:
        return after_pause(job)
    except InvalidInputError as error:
        log.warning("job_not_resumed", job_id=job.id, cause=str(error))
        return replace(job, pause_reason="its schedule cannot be computed", paused_until=None)


def _is_due(instant: datetime | None, now: datetime) -> bool:
    return instant is not None and instant <= now
