"""Policies of stored jobs: start deadlines, numbers of runs, failures in a row, and shared concurrency."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from testkit.claiming import claim_all, claim_run
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock, RecordingBroker
from tests.storage.stored_runs import FAILURE, ME, SUCCESS, put

from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.storage import deadlines, jobs, ledger, run_lists, transitions, workers
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.database import Database
from scheduler_service.storage.transitions import AttemptEnd

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def dispatcher(database: Database, clock: FakeClock) -> Dispatcher:
    return Dispatcher(database, RecordingBroker(), clock, tick_seconds=1)


@pytest.fixture(autouse=True)
async def worker(database: Database) -> None:
    async with database.write() as connection:
        await workers.register(connection, ME, host="h", pid=1, slots=9, now=NOON)


async def rows_of(database: Database, job: Job) -> list[Run]:
    async with database.read() as connection:
        return sorted((await run_lists.page(connection, RunFilter(job_id=job.id), Page(size=100))).items, key=_instant)


def _instant(run: Run) -> Any:
    return run.scheduled_for


async def reread(database: Database, job: Job) -> Job:
    async with database.read() as connection:
        found = await jobs.find(connection, job.id)
    assert found is not None
    return found


async def claim(database: Database, run: Run, now: Any = NOON) -> Claimed | None:
    async with database.write() as connection:
        return await claim_run(connection, run.id, ME, now)


async def end(database: Database, job: Job, how: AttemptEnd, now: Any = NOON) -> None:
    claimed = await claim(database, await put(database, job))
    assert claimed is not None
    async with database.write() as connection:
        assert await transitions.finish(connection, claimed, how, now)


class TestStartDeadline:
    async def test_run_is_missed_when_it_does_not_start_in_time(
        self, database: Database, clock: FakeClock, dispatcher: Dispatcher
    ) -> None:
        job = await add_job(database, schedule_expr="1h", start_deadline_seconds=30.0)
        assert await dispatcher.tick() <= 30
        clock.advance(31)
        await dispatcher.tick()
        (run,) = await rows_of(database, job)
        assert (run.status, run.reason) == (RunStatus.MISSED, Reason.START_DEADLINE)
        assert (run.scheduled_for, run.missed_until, run.missed_count) == (NOON, NOON, 1)

    async def test_worker_cannot_claim_a_run_past_its_deadline(self, database: Database) -> None:
        job = await add_job(database)
        run = await put(database, job, start_by=NOON + SECOND)
        assert await claim(database, run, NOON + 2 * SECOND) is None
        assert await claim(database, run, NOON + SECOND) is not None

    async def test_run_that_has_begun_has_no_deadline(self, database: Database) -> None:
        job = await add_job(database)
        rescued = await put(database, job, start_by=NOON, attempt=1)
        async with database.write() as connection:
            assert await deadlines.miss_late_runs(connection, NOON + MINUTE, 10) == 0
        assert await claim(database, rescued, NOON + MINUTE) is not None

    async def test_jitter_is_waited_out_before_the_deadline_counts(self, database: Database) -> None:
        job = await add_job(database, start_deadline_seconds=5.0, jitter_seconds=600.0)
        async with database.write() as connection:
            await ledger.fire(connection, [jobs.as_due(job)], NOON)
        (run,) = await rows_of(database, job)
        assert run.start_by == run.available_at + 5 * SECOND > NOON + 5 * SECOND


class TestMaxRuns:
    async def test_job_is_finished_after_its_last_run(
        self, database: Database, clock: FakeClock, dispatcher: Dispatcher
    ) -> None:
        job = await add_job(database, max_runs=2)
        for _ in range(4):
            await dispatcher.tick()
            clock.advance(60)
        after = await reread(database, job)
        assert (after.status, after.next_run_at, after.scheduled_runs) == (JobStatus.FINISHED, None, 2)
        assert [run.scheduled_for for run in await rows_of(database, job)] == [NOON, NOON + MINUTE]


class TestPauseAfterFailures:
    async def test_job_is_paused_after_failures_in_a_row(self, database: Database) -> None:
        job = await add_job(database, pause_after_failures=2, next_run_at=NOON + MINUTE)
        await end(database, job, FAILURE)
        assert (await reread(database, job)).status is JobStatus.ACTIVE
        await end(database, job, FAILURE)
        paused = await reread(database, job)
        assert (paused.status, paused.next_run_at) == (JobStatus.PAUSED, None)
        assert paused.pause_reason == "its last 2 runs failed"

    async def test_success_ends_the_count(self, database: Database) -> None:
        job = await add_job(database, pause_after_failures=2, next_run_at=NOON + MINUTE)
        for how in (FAILURE, SUCCESS, FAILURE):
            await end(database, job, how)
        assert (await reread(database, job)).status is JobStatus.ACTIVE

    async def test_due_instants_get_their_rows_before_the_pause(
        self, database: Database, dispatcher: Dispatcher
    ) -> None:
        job = await add_job(database, pause_after_failures=1)
        await end(database, job, FAILURE, NOON + SECOND)
        assert (await reread(database, job)).status is JobStatus.ACTIVE
        await dispatcher.tick()
        paused = await reread(database, job)
        assert (paused.status, paused.pause_reason) == (JobStatus.PAUSED, "its last run failed")
        assert NOON in [run.scheduled_for for run in await rows_of(database, job) if run.trigger == "schedule"]


class TestEndOfPause:
    async def test_job_resumes_at_the_end_of_its_pause(
        self, database: Database, clock: FakeClock, dispatcher: Dispatcher
    ) -> None:
        paused = {"status": JobStatus.PAUSED, "next_run_at": None, "pause_reason": "x"}
        job = await add_job(database, **paused, paused_until=NOON + 90 * SECOND)
        clock.advance(180)
        await dispatcher.tick()
        resumed = await reread(database, job)
        assert (resumed.status, resumed.pause_reason, resumed.paused_until) == (JobStatus.ACTIVE, None, None)
        # Instants since the end of the pause are owed, although the dispatcher came later.
        owed = [(run.scheduled_for, run.missed_count or 1) for run in await rows_of(database, job)]
        assert owed == [(NOON + 2 * MINUTE, 1), (NOON + 3 * MINUTE, 1)]

    async def test_dispatcher_rests_until_the_end_of_a_pause(self, database: Database, dispatcher: Dispatcher) -> None:
        await add_job(database, status=JobStatus.PAUSED, next_run_at=None, paused_until=NOON + timedelta(seconds=0.5))
        assert await dispatcher.tick() == 0.5


class TestConcurrencyKey:
    async def keyed(self, database: Database, **changes: Any) -> Run:
        values = {"overlap_policy": "queue", "concurrency_key": "warehouse", "owner_id": "ann", **changes}
        return await put(database, await add_job(database, **values))

    async def test_jobs_with_one_key_share_their_slots(self, database: Database) -> None:
        first, second = await self.keyed(database), await self.keyed(database)
        assert await claim(database, first) is not None
        assert await claim(database, second) is None
        async with database.write() as connection:
            assert await claim_all(connection, ME, NOON) == []

    @pytest.mark.parametrize("other", [{"concurrency_key": "b"}, {"owner_id": "bob"}, {"concurrency_key": None}])
    async def test_other_keys_and_owners_have_their_own_slots(self, database: Database, other: dict[str, Any]) -> None:
        first, second = await self.keyed(database), await self.keyed(database, **other)
        assert await claim(database, first) is not None
        async with database.write() as connection:
            assert [claimed.run.id for claimed in await claim_all(connection, ME, NOON)] == [second.id]

    async def test_one_claim_takes_one_run_of_a_key(self, database: Database) -> None:
        first, _ = await self.keyed(database), await self.keyed(database)
        async with database.write() as connection:
            assert [claimed.run.id for claimed in await claim_all(connection, ME, NOON)] == [first.id]

    async def test_claim_takes_the_lowest_free_slot(self, database: Database) -> None:
        runs_of_key = [await self.keyed(database, max_concurrency=3) for _ in range(4)]
        claimed = [await claim(database, run) for run in runs_of_key[:3]]
        assert [each.run.concurrency_slot for each in claimed if each is not None] == [0, 1, 2]
        assert claimed[1] is not None
        async with database.write() as connection:
            await transitions.finish(connection, claimed[1], SUCCESS, NOON)
        last = await claim(database, runs_of_key[3])
        assert last is not None
        assert last.run.concurrency_slot == 1

    async def test_concurrent_claims_get_one_slot(self, database: Database) -> None:
        waiting = [await self.keyed(database) for _ in range(6)]

        async def try_claim(run: Run) -> bool:
            async with database.write() as connection:
                return await claim_run(connection, run.id, ME, NOON) is not None

        assert sum(await asyncio.gather(*map(try_claim, waiting))) == 1

    async def test_greater_limit_of_a_job_counts_for_its_own_claims(self, database: Database) -> None:
        one, two = await self.keyed(database, max_concurrency=1), await self.keyed(database, max_concurrency=2)
        assert await claim(database, two) is not None
        assert await claim(database, one) is None
        assert await claim(database, await self.keyed(database, max_concurrency=2)) is not None
