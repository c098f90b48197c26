"""The table of states: which transitions exist, and which stale writes they refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.claiming import claim_run
from testkit.databases import NOON, add_job
from testkit.lock_waits import wait_for_lock_waiter
from tests.storage.stored_runs import FAILURE, ME, SUCCESS, put

from scheduler_service.domain.records import Job, Run, Worker
from scheduler_service.domain.rescue import MAX_RESCUES
from scheduler_service.domain.run_state import TERMINAL, TRANSITIONS, Reason, RunStatus, Trigger
from scheduler_service.storage import cancellations, claims, deadlines, jobs, logs, rescues, runs, transitions, workers
from scheduler_service.storage.claims import Claimed, SlotTakenError
from scheduler_service.storage.database import Database
from scheduler_service.storage.leases import Lease
from scheduler_service.storage.tables import runs as run_table

OTHER = "worker-2"
LATER = NOON + timedelta(seconds=30)


@pytest.fixture
async def job(database: Database) -> Job:
    async with database.write() as connection:
        for worker_id in (ME, OTHER):
            await workers.register(connection, worker_id, host="h", pid=1, slots=4, now=NOON)
    return await add_job(database)


async def find(database: Database, run: Run) -> Run:
    async with database.read() as connection:
        found = await runs.find(connection, run.id)
    assert found is not None
    return found


Move = Callable[[AsyncConnection, Run, Job], Awaitable[object]]


def lease_of(run: Run) -> Lease:
    return Lease(run.id, run.attempt, run.worker_id or ME)


MOVES: dict[str, tuple[Move, set[tuple[RunStatus, RunStatus]]]] = {
    "claim": (
        lambda connection, run, _: claim_run(connection, run.id, ME, LATER),
        {(RunStatus.QUEUED, RunStatus.RUNNING)},
    ),
    "finish with success": (
        lambda connection, run, job: transitions.finish(connection, Claimed(run, job), SUCCESS, LATER),
        {(RunStatus.RUNNING, RunStatus.SUCCESS)},
    ),
    "finish with failure": (
        lambda connection, run, job: transitions.finish(connection, Claimed(run, job), FAILURE, LATER),
        {(RunStatus.RUNNING, RunStatus.FAILED)},
    ),
    "retry later": (
        lambda connection, run, job: transitions.retry_later(connection, Claimed(run, job), FAILURE, LATER, LATER),
        {(RunStatus.RUNNING, RunStatus.RETRYING)},
    ),
    "hand back": (
        lambda connection, run, _: rescues.requeue_after_fault(connection, lease_of(run), "drained", LATER),
        {(RunStatus.RUNNING, RunStatus.QUEUED)},
    ),
    "cancel what waits": (
        lambda connection, run, _: cancellations.cancel_waiting(connection, run.id, Reason.USER, LATER),
        {(RunStatus.QUEUED, RunStatus.CANCELLED), (RunStatus.RETRYING, RunStatus.CANCELLED)},
    ),
    "reject what waits": (
        lambda connection, run, _: cancellations.reject_waiting(connection, run.job_id, "taken away", LATER),
        {(RunStatus.QUEUED, RunStatus.FAILED), (RunStatus.RETRYING, RunStatus.FAILED)},
    ),
    "ask to cancel": (
        lambda connection, run, _: cancellations.request_cancel(connection, run.id, Reason.USER, LATER),
        {(RunStatus.RUNNING, RunStatus.RUNNING)},
    ),
    "miss late runs": (
        lambda connection, _run, _job: deadlines.miss_late_runs(connection, LATER, 10),
        {(RunStatus.QUEUED, RunStatus.MISSED)},
    ),
    "release": (
        lambda connection, _run, _job: transitions.release(connection, LATER, 10),
        {(RunStatus.QUEUED, RunStatus.QUEUED), (RunStatus.RETRYING, RunStatus.QUEUED)},
    ),
}


@pytest.mark.parametrize("name", MOVES)
async def test_transition_applies_only_from_its_own_states(database: Database, job: Job, name: str) -> None:
    move, allowed = MOVES[name]
    targets = dict(allowed)
    start_by = NOON if name == "miss late runs" else None
    notified_at = None if name == "release" else NOON
    for status in RunStatus:
        run = await put(database, job, status, notified_at=notified_at, start_by=start_by, worker_id=ME)
        async with database.write() as connection:
            won = bool(await move(connection, run, job))
        after = (await find(database, run)).status
        assert (won, after) == (status in targets, targets.get(status, status)), f"from {status}"
        async with database.write() as connection:
            await connection.execute(delete(run_table).where(run_table.c.id == run.id))


def test_transitions_together_are_the_table_of_the_domain() -> None:
    made = {pair for _, allowed in MOVES.values() for pair in allowed if pair[0] is not pair[1]}
    # Cancelled by its owner after the kill: `finish` with another report.
    made.add((RunStatus.RUNNING, RunStatus.CANCELLED))
    promised = {(source, target) for source, targets in TRANSITIONS.items() for target in targets if source}
    assert made == promised


@pytest.mark.parametrize("status", sorted(TERMINAL))
async def test_database_refuses_changes_of_a_finished_run(database: Database, job: Job, status: RunStatus) -> None:
    run = await put(database, job, status)
    with pytest.raises(DBAPIError, match="has ended never changes"):
        async with database.write() as connection:
            await connection.execute(update(run_table).where(run_table.c.id == run.id).values(message="tampered"))


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE runs SET status = 'success', finished_at = queued_at",
        "UPDATE runs SET status = 'failed'",
        "UPDATE runs SET status = 'nonsense'",
        "UPDATE runs SET status = 'running'",
        "UPDATE runs SET concurrency_slot = 0",
        "UPDATE runs SET missed_count = 1",
        "UPDATE jobs SET status = 'paused'",
    ],
)
async def test_database_refuses_a_contradictory_row(database: Database, job: Job, tampering: str) -> None:
    await put(database, job)
    with pytest.raises(DBAPIError):
        async with database.write() as connection:
            await connection.execute(text(tampering))


async def test_database_refuses_a_second_scheduled_run_of_an_instant(database: Database, job: Job) -> None:
    await put(database, job, trigger=Trigger.SCHEDULE)
    with pytest.raises(DBAPIError):
        await put(database, job, trigger=Trigger.SCHEDULE)


class TestClaim:
    async def test_claim_starts_and_records_the_next_attempt(self, database: Database, job: Job) -> None:
        run = await put(database, job, attempt=2)
        async with database.write() as connection:
            claimed = await claim_run(connection, run.id, ME, LATER)
            noted = await runs.find_attempts(connection, run.id)
        assert claimed is not None
        assert (claimed.run.attempt, claimed.run.worker_id, claimed.run.started_at) == (3, ME, LATER)
        assert [(attempt.attempt, attempt.status) for attempt in noted] == [(3, RunStatus.RUNNING)]

    async def test_claim_fails_before_the_run_is_available(self, database: Database, job: Job) -> None:
        run = await put(database, job, available_at=LATER + timedelta(seconds=1))
        async with database.write() as connection:
            assert await claim_run(connection, run.id, ME, LATER) is None

    async def test_claim_fails_for_a_worker_declared_dead(self, database: Database, job: Job) -> None:
        run = await put(database, job)
        async with database.write() as connection:
            assert await workers.mark_dead(connection, await _worker(connection, ME))
            assert await claim_run(connection, run.id, ME, LATER) is None

    async def test_second_claim_of_a_run_fails(self, database: Database, job: Job) -> None:
        run = await put(database, job)
        async with database.write() as connection:
            assert await claim_run(connection, run.id, ME, LATER) is not None
        async with database.write() as connection:
            assert await claim_run(connection, run.id, OTHER, LATER) is None

    @pytest.mark.usefixtures("job")
    async def test_claim_fails_beyond_max_concurrency(self, database: Database) -> None:
        limited = await add_job(database, overlap_policy="queue", max_concurrency=2)
        taken = []
        for _ in range(3):
            run = await put(database, limited)
            async with database.write() as connection:
                taken.append(await claim_run(connection, run.id, ME, LATER) is not None)
        assert taken == [True, True, False]

    @pytest.mark.usefixtures("job")
    async def test_finished_run_frees_its_concurrency_slot(self, database: Database) -> None:
        limited = await add_job(database, overlap_policy="queue", max_concurrency=1)
        first, second = await put(database, limited), await put(database, limited)
        async with database.write() as connection:
            claimed = await claim_run(connection, first.id, ME, LATER)
            assert claimed is not None
            assert await transitions.finish(connection, claimed, SUCCESS, LATER)
            assert await claim_run(connection, second.id, ME, LATER) is not None

    async def test_lateness_is_measured_from_the_instant(self, database: Database, job: Job) -> None:
        run = await put(database, job, trigger=Trigger.SCHEDULE)
        async with database.write() as connection:
            claimed = await claim_run(connection, run.id, ME, LATER)
        assert claimed is not None
        assert claimed.run.lateness_seconds == pytest.approx(30)


class TestClaimRaces:
    """Claims beside transactions that are still open; SQLite has a single writer and cannot have them."""

    @pytest.fixture(params=["postgresql"])
    def database_url(self, request: pytest.FixtureRequest) -> str:
        return str(request.getfixturevalue("migrated_postgres_url"))

    async def claim(self, database: Database, run: Run) -> list[Claimed]:
        async with database.write() as connection:
            return await claims.claim(connection, ME, LATER, 1, run_id=run.id)

    async def test_claim_skips_a_run_that_is_being_cancelled(self, database: Database, job: Job) -> None:
        run = await put(database, job)
        async with database.write() as connection:
            await cancellations.cancel_waiting(connection, run.id, Reason.USER, NOON)
            assert await self.claim(database, run) == []
        assert await self.claim(database, run) == []
        assert (await find(database, run)).status is RunStatus.CANCELLED

    async def test_claim_skips_a_run_that_another_worker_claims(self, database: Database, job: Job) -> None:
        run = await put(database, job)
        async with database.write() as connection:
            assert await claim_run(connection, run.id, OTHER, NOON) is not None
            assert await self.claim(database, run) == []

    @pytest.mark.usefixtures("job")
    async def test_claim_is_refused_when_the_slot_is_taken_meanwhile(self, database: Database) -> None:
        limited = await add_job(database, overlap_policy="queue", max_concurrency=1)
        first, second = await put(database, limited), await put(database, limited)
        async with database.write() as connection:
            assert await claim_run(connection, first.id, OTHER, LATER) is not None
            claiming = asyncio.create_task(self.claim(database, second))
            await wait_for_lock_waiter(database)
        with pytest.raises(SlotTakenError):
            await claiming
        assert await self.claim(database, second) == []


class TestFencing:
    """A stale attempt cannot write an outcome, a retry or a piece of its log."""

    STALE = ({"attempt": 7}, {"worker_id": OTHER})

    @pytest.mark.parametrize("change", STALE)
    async def test_outcome_is_refused_when_the_lease_is_stale(
        self, database: Database, job: Job, change: dict[str, Any]
    ) -> None:
        run = await put(database, job, RunStatus.RUNNING)
        stale = Claimed(Run(**{**_fields(run), **change}), job)
        async with database.write() as connection:
            assert not await transitions.finish(connection, stale, SUCCESS, LATER)
            assert not await transitions.retry_later(connection, stale, FAILURE, LATER, LATER)
            assert not await rescues.requeue_after_fault(connection, stale.lease, "late", LATER)
        assert (await find(database, run)).status is RunStatus.RUNNING

    @pytest.mark.parametrize("change", STALE)
    async def test_log_piece_is_refused_when_the_lease_is_stale(
        self, database: Database, job: Job, change: dict[str, Any]
    ) -> None:
        run = await put(database, job, RunStatus.RUNNING)
        stale = Claimed(Run(**{**_fields(run), **change}), job).lease
        async with database.write() as connection:
            assert not await logs.append(connection, stale, b"late", 0)
            assert await logs.read(connection, run.id) == b""

    async def test_log_piece_is_refused_when_the_run_has_ended(self, database: Database, job: Job) -> None:
        run = await put(database, job, RunStatus.RUNNING)
        async with database.write() as connection:
            assert await transitions.finish(connection, Claimed(run, job), SUCCESS, LATER)
            assert not await logs.append(connection, lease_of(run), b"late", 0)

    async def test_run_with_a_cancel_request_is_not_retried(self, database: Database, job: Job) -> None:
        run = await put(database, job, RunStatus.RUNNING, cancel_requested_at=NOON, cancel_reason=Reason.USER)
        async with database.write() as connection:
            assert not await transitions.retry_later(connection, Claimed(run, job), FAILURE, LATER, LATER)


class TestRescue:
    async def test_rescue_requeues_runs_of_a_dead_worker_only(self, database: Database, job: Job) -> None:
        mine, others = (
            await put(database, job, RunStatus.RUNNING),
            await put(database, job, RunStatus.RUNNING, worker_id=OTHER),
        )
        async with database.write() as connection:
            await workers.mark_dead(connection, await _worker(connection, ME))
            assert len(await rescues.rescue_from(connection, ME, LATER)) == 1
        rescued = await find(database, mine)
        assert (rescued.status, rescued.rescue_count, rescued.retry_count) == (RunStatus.QUEUED, 1, 0)
        assert rescued.notified_at is None
        assert (await find(database, others)).status is RunStatus.RUNNING

    async def test_rescue_leaves_runs_of_a_live_worker(self, database: Database, job: Job) -> None:
        run = await put(database, job, RunStatus.RUNNING)
        async with database.write() as connection:
            assert await rescues.rescue_from(connection, ME, LATER) == []
        assert (await find(database, run)).status is RunStatus.RUNNING

    async def test_run_fails_at_a_fault_after_max_rescues(self, database: Database, job: Job) -> None:
        run = await put(database, job, RunStatus.RUNNING, rescue_count=MAX_RESCUES)
        async with database.write() as connection:
            await rescues.requeue_after_fault(connection, lease_of(run), "lost", LATER)
        after = await find(database, run)
        assert (after.status, after.reason) == (RunStatus.FAILED, Reason.WORKER_LOST)

    async def test_requeue_on_shutdown_is_not_counted_as_a_rescue(self, database: Database, job: Job) -> None:
        run = await put(database, job, RunStatus.RUNNING, rescue_count=MAX_RESCUES)
        async with database.write() as connection:
            await rescues.requeue_on_shutdown(connection, lease_of(run), "stopped", LATER)
        after = await find(database, run)
        assert (after.status, after.rescue_count) == (RunStatus.QUEUED, MAX_RESCUES)

    async def test_rescued_run_is_cancelled_when_a_cancel_was_requested(self, database: Database, job: Job) -> None:
        run = await put(database, job, RunStatus.RUNNING, cancel_requested_at=NOON, cancel_reason=Reason.JOB_DELETED)
        async with database.write() as connection:
            await rescues.requeue_after_fault(connection, lease_of(run), "lost", LATER)
        after = await find(database, run)
        assert (after.status, after.reason) == (RunStatus.CANCELLED, Reason.JOB_DELETED)

    @pytest.mark.usefixtures("job")
    async def test_worker_that_beat_meanwhile_is_not_declared_dead(self, database: Database) -> None:
        async with database.write() as connection:
            seen = await _worker(connection, ME)
            assert await workers.beat(connection, ME, state=seen.state, busy=0, now=LATER) is seen.state
            assert not await workers.mark_dead(connection, seen)


async def test_outcome_is_stored_with_run_attempt_and_job(database: Database, job: Job) -> None:
    run = await put(database, job, RunStatus.RUNNING)
    async with database.write() as connection:
        assert await transitions.finish(connection, Claimed(run, job), FAILURE, LATER)
        (attempt,) = await runs.find_attempts(connection, run.id)
        after = await jobs.find(connection, job.id)
    assert (attempt.status, attempt.exit_code, attempt.finished_at) == (RunStatus.FAILED, 3, LATER)
    assert after is not None
    assert (after.last_run_at, after.last_run_status) == (NOON, RunStatus.FAILED)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer
async def test_run_can_end_while_the_runs_of_its_job_are_cancelled(database: Database, job: Job) -> None:
    run = await put(database, job, RunStatus.RUNNING)

    async def finish() -> bool:
        async with database.write() as connection:
            return await transitions.finish(connection, Claimed(run, job), SUCCESS, LATER)

    async with database.write() as connection:
        await jobs.find(connection, job.id, lock=True)
        finishing = asyncio.create_task(finish())
        await wait_for_lock_waiter(database)
        await cancellations.cancel_all(connection, [job.id], Reason.JOB_DELETED, LATER)

    assert await finishing
    assert (await find(database, run)).status is RunStatus.SUCCESS


async def _worker(connection: AsyncConnection, worker_id: str) -> Worker:
    return next(worker for worker in await workers.living(connection) if worker.id == worker_id)


def _fields(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in Run.__dataclass_fields__}
