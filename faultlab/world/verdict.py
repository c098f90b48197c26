"""What a world at rest must hold: every promise, checked by the service's own check and by independent ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from testkit.callers import ADMIN
from testkit.databases import NOON

from faultlab.world.chains import check_chains
from faultlab.world.owed import check_owed, micros
from faultlab.world.world import World
from scheduler_service.features.ledger.service import LedgerService


async def violations_of(world: World) -> list[str]:
    """Return a line for each promise that a world broke."""
    now = micros(world.clock.now())
    found = list(world.watch.violations)
    found += [line for job_id in world.watch.history for line in check_owed(world.watch, job_id, now)]
    found += check_chains(world.watch)
    found += _early(world)
    found += _attempts(world)
    found += _lost_ends(world)
    service = LedgerService(world.database, world.clock, retention_days=30)
    check = await service.check(ADMIN, None, NOON - timedelta(days=1))
    found += [f"the ledger check: {each}" for each in check.differences]
    return found


def _early(world: World) -> Iterator[str]:
    """Yield each run that was queued or began before its instant."""
    query = (
        "SELECT r.id, r.scheduled_for, r.queued_at, min(a.started_at) FROM runs r LEFT JOIN attempts a "
        "ON a.run_id = r.id WHERE r.\"trigger\" = 'schedule' GROUP BY r.id"
    )
    for run_id, instant, queued_at, started_at in world.watch.rows(query):
        # An attempt that is repeated after the clock was set back seems to begin earlier than the one before.
        is_early = started_at is not None and started_at < instant and not world.was_set_back
        if queued_at < instant or is_early:
            yield f"run {run_id} of {instant} was queued at {queued_at} and began at {started_at}"


def _attempts(world: World) -> Iterator[str]:
    """Yield each run whose attempts are not numbered from 1 without a gap, or do not fit its state."""
    query = (
        "SELECT r.id, r.status, r.attempt, count(a.attempt), coalesce(max(a.attempt), 0), count(a.finished_at) "
        "FROM runs r LEFT JOIN attempts a ON a.run_id = r.id GROUP BY r.id"
    )
    for run_id, status, attempt, count, last, ended in world.watch.rows(query):
        if count != last or last != attempt or ended != count - (status == "running"):
            yield f"run {run_id} ({status}, attempt {attempt}) has {count} attempts up to {last}, {ended} of them ended"


def _lost_ends(world: World) -> Iterator[str]:
    """Yield each end that a worker has settled and that is not stored."""
    for worker in world.all_workers:
        for claimed, end in worker.settled:
            query = "SELECT status, worker_id FROM attempts WHERE run_id = ? AND attempt = ?"
            stored = world.watch.rows(query, claimed.run.id, claimed.run.attempt)
            if stored != [(end.status, claimed.lease.worker_id)]:
                yield f"run {claimed.run.id}: {end.status} was settled, and {stored} is stored"
