"""Test runs: one attempt of a definition that is not stored, and that nothing else notices."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from testkit.callers import ADMIN, ANN, BOB
from testkit.claiming import claim_run
from testkit.databases import add_job
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.listing import JobFilter, Page, RunFilter
from scheduler_service.domain.run_state import RunStatus, Trigger
from scheduler_service.engine.retention import Pruner
from scheduler_service.errors import ConflictError, InvalidInputError
from scheduler_service.services.jobs import JobService
from scheduler_service.services.json_document import JsonDocument
from scheduler_service.services.runs import RunService
from scheduler_service.storage import figures, stats, transitions, workers
from scheduler_service.storage.database import Database
from scheduler_service.storage.event_tables import events
from scheduler_service.storage.runs import job_of
from scheduler_service.storage.tables import jobs as job_table
from scheduler_service.storage.tables import runs as run_table
from scheduler_service.storage.transitions import AttemptEnd

DOCUMENT: JsonDocument = {
    "name": "draft",
    "schedule_expr": "@daily",
    "payload": {"type": "shell_script", "script": "exit 1"},
    "retry_policy": {"max_retries": 3},
    "timeout_seconds": 3600,
    "concurrency_key": "warehouse",
}


@pytest.fixture
def broker() -> RecordingBroker:
    return RecordingBroker()


@pytest.fixture
def jobs(database: Database, clock: FakeClock, broker: RecordingBroker) -> JobService:
    return JobService(database, broker, clock, lambda: None)


@pytest.fixture
def runs(database: Database, clock: FakeClock, broker: RecordingBroker) -> RunService:
    return RunService(database, broker, clock)


async def end(database: Database, clock: FakeClock, run_id: int) -> None:
    async with database.write() as connection:
        await workers.register(connection, f"w{run_id}", host="h", pid=1, slots=1, now=clock.now())
        claimed = await claim_run(connection, run_id, f"w{run_id}", clock.now())
        assert claimed is not None
        failed = AttemptEnd(status=RunStatus.FAILED, reason=None, exit_code=1)
        assert await transitions.finish(connection, claimed, failed, clock.now())


async def test_definition_is_run_once_for_a_minute_at_most(
    database: Database, jobs: JobService, broker: RecordingBroker
) -> None:
    run = await jobs.test(ANN, DOCUMENT)
    assert (run.trigger, run.status) == (Trigger.TEST, RunStatus.QUEUED)
    async with database.read() as connection:
        job = await job_of(connection, run)
    assert (job.timeout_seconds, job.retry_policy["max_retries"], job.owner_id) == (60, 0, "ann")
    assert (job.concurrency_key, job.overlap_policy, job.next_run_at) == (None, "allow", None)
    assert [notice.run_id for notice in broker.notices] == [run.id]


async def test_nothing_else_notices_a_test_run(
    database: Database, jobs: JobService, runs: RunService, clock: FakeClock
) -> None:
    run = await jobs.test(ANN, DOCUMENT)
    async with database.read() as connection:
        assert (await figures.read_backlog(connection)).active == {}
    await end(database, clock, run.id)

    assert (await jobs.page(ANN, JobFilter(), Page())).total == 0
    for filters in (RunFilter(), RunFilter(statuses=(RunStatus.FAILED,)), RunFilter(job_id=run.job_id)):
        listing = await runs.page(ANN, filters, Page())
        assert (listing.items, listing.total) == ((), 0)
    assert (await runs.page(ANN, RunFilter(trigger=Trigger.TEST), Page())).total == 1
    async with database.read() as connection:
        assert (await stats.ended_since(connection, clock.now() - timedelta(hours=1), None)).outcomes == ()
        assert (await connection.execute(select(func.count()).select_from(events))).scalar_one() == 0
    assert (await runs.get(ANN, run.id)).view.run.status is RunStatus.FAILED
    with pytest.raises(ConflictError, match="has been deleted"):
        await runs.retry(ANN, run.id)


async def test_quota_counts_the_unfinished_test_runs_of_an_owner(
    database: Database, jobs: JobService, clock: FakeClock
) -> None:
    first = await jobs.test(ANN, DOCUMENT)
    await jobs.test(ANN, DOCUMENT)
    with pytest.raises(ConflictError, match="2 test runs of this owner have not ended"):
        await jobs.test(ANN, DOCUMENT)
    await jobs.test(BOB, DOCUMENT)
    await end(database, clock, first.id)
    await jobs.test(ANN, DOCUMENT)


async def test_wrong_definition_is_refused_with_every_error(jobs: JobService) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await jobs.test(ANN, {**DOCUMENT, "priority": 99, "secrets": {"PW": "pw"}})
    assert {problem.field for problem in refused.value.problems} == {"priority", "secrets.PW"}


async def test_test_run_is_deleted_with_its_job_after_an_hour(
    database: Database, jobs: JobService, clock: FakeClock
) -> None:
    await add_job(database)
    run = await jobs.test(ADMIN, DOCUMENT)
    await end(database, clock, run.id)
    pruner = Pruner(database, clock, retention_days=30, event_retention_hours=1)
    for seconds, left in ((3590, (1, 2)), (20, (0, 1))):
        clock.advance(seconds)
        await pruner.prune()
        async with database.read() as connection:
            counts = [select(func.count()).select_from(table) for table in (run_table, job_table)]
            assert tuple([(await connection.execute(query)).scalar_one() for query in counts]) == left
