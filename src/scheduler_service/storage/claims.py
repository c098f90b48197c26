"""Claims runs for workers: queued → running, by one guarded UPDATE, as in `transitions`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, insert, or_, select, union, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.concurrency_keys import shared_key
from scheduler_service.domain.lateness import lateness_seconds
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.domain.run_state import RunStatus, WorkerState
from scheduler_service.storage import runs as run_rows
from scheduler_service.storage.dialect import is_unique_violation
from scheduler_service.storage.leases import Lease
from scheduler_service.storage.tables import attempts, runs, with_status, workers

_taken_slots = select(runs.c.concurrency_slot).where(
    runs.c.job_id == bindparam("of_job"), runs.c.concurrency_slot.is_not(None)
)
# Two queries, each with its index: a job that was given a key meanwhile can hold slots without it.
_taken_slots_of_key = union(
    _taken_slots,
    select(runs.c.concurrency_slot).where(
        runs.c.concurrency_key == bindparam("of_key"), runs.c.concurrency_slot.is_not(None)
    ),
)
_move_to_running = (
    update(runs)
    .where(
        runs.c.id == bindparam("of_run"),
        with_status(RunStatus.QUEUED),
        runs.c.attempt == bindparam("of_attempt"),
        runs.c.available_at <= bindparam("at"),
        or_(runs.c.start_by.is_(None), runs.c.start_by >= bindparam("at"), runs.c.attempt > 0),
        select(workers.c.id)
        .where(workers.c.id == bindparam("of_worker"), workers.c.state != WorkerState.DEAD)
        .exists(),
    )
    .returning(runs)
)
_claimed = select(runs).where(runs.c.id == bindparam("of_run")).with_for_update()
_begin_attempt = insert(attempts)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that this worker executes, with its job."""

    run: Run
    job: Job

    @property
    def began_at(self) -> datetime:
        """Return when the attempt started."""
        assert self.run.started_at is not None  # noqa: S101 (a CHECK of the table)
        return self.run.started_at

    @property
    def lease(self) -> Lease:
        """Return the lease that the claim created."""
        assert self.run.worker_id is not None  # noqa: S101 (a CHECK of the table)
        return Lease(self.run.id, self.run.attempt, self.run.worker_id, self.run.fault_count)


async def claim(
    connection: AsyncConnection,
    run_id: int,
    attempt: int,
    worker_id: str,
    now: datetime,
    routing: Routing = EVERYTHING,
) -> Claimed | None:
    """Claim a queued run for a worker: queued → running, attempt + 1.

    1. Read the run and its job, check the routing, and find a free concurrency slot if the job has a limit.
    2. Move the run if it is queued at this attempt and due, and if the worker is alive.
    3. Insert the attempt.

    Return None if one of these checks fails. The transaction can then be unusable, because PostgreSQL aborts it after a
    constraint violation.
    """
    run = await run_rows.find(connection, run_id)
    if run is None or run.status is not RunStatus.QUEUED or run.attempt != attempt:
        return None
    job = await run_rows.job_of(connection, run)
    if not routing.serves(job.tags, job.grants):
        return None
    slot = await _free_concurrency_slot(connection, job)
    if slot is None and job.overlap_policy != "allow":
        return None
    claimed = await _begin(connection, run, job, worker_id, slot, now)
    if claimed is None:
        return None
    values = {"run_id": run_id, "attempt": claimed.attempt, "worker_id": worker_id, "started_at": now}
    begun = {"log_offset": claimed.log_bytes, "status": RunStatus.RUNNING}
    await connection.execute(_begin_attempt, {**values, **begun})
    return Claimed(claimed, job)


async def find_claimed(connection: AsyncConnection, run_id: int, attempt: int, worker_id: str) -> Claimed | None:
    """Return the claim whose answer was lost, or None if it was not committed.

    The query waits for the claim's transaction, which can still be open on a server that lost its client.
    """
    row = (await connection.execute(_claimed, {"of_run": run_id})).mappings().one_or_none()
    if row is None:
        return None
    run = Run(**row)
    if (run.status, run.attempt, run.worker_id) != (RunStatus.RUNNING, attempt, worker_id):
        return None
    return Claimed(run, await run_rows.job_of(connection, run))


async def _free_concurrency_slot(connection: AsyncConnection, job: Job) -> int | None:
    if job.overlap_policy == "allow":
        return None
    query = _taken_slots if job.concurrency_key is None else _taken_slots_of_key
    taken = set((await connection.execute(query, {"of_job": job.id, "of_key": shared_key(job)})).scalars())
    return next((slot for slot in range(job.max_concurrency) if slot not in taken), None)


async def _begin(
    connection: AsyncConnection, run: Run, job: Job, worker_id: str, slot: int | None, now: datetime
) -> Run | None:
    values = {
        "status": RunStatus.RUNNING,
        "reason": None,
        "message": None,
        "exit_code": None,
        "signal": None,
        "attempt": run.attempt + 1,
        "worker_id": worker_id,
        "concurrency_slot": slot,
        "concurrency_key": shared_key(job),
        "grants": job.grants,
        "job_version": job.version,
        "started_at": now,
        "lateness_seconds": lateness_seconds(run, now),
    }
    binds = {"of_run": run.id, "of_attempt": run.attempt, "of_worker": worker_id, "at": now}
    try:
        row = (await connection.execute(_move_to_running, {**binds, **values})).mappings().one_or_none()
    except IntegrityError as error:
        # Another worker took this slot between the query and the UPDATE.
        if is_unique_violation(error):
            return None
        raise
    return None if row is None else Run(**row)
