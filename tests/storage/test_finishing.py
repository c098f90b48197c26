"""Ends of runs that are written together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from testkit.databases import NOON, add_job
from tests.storage.stored_runs import FAILURE, ME, SUCCESS, put

from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.storage import finishing, jobs, logs, runs
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.database import Database
from scheduler_service.storage.finishing import Ending
from scheduler_service.storage.logs import LogPiece
from scheduler_service.storage.transitions import AttemptEnd

LATER = NOON + timedelta(seconds=30)
CANCELLED = AttemptEnd(status=RunStatus.CANCELLED, reason=Reason.USER)


async def running(database: Database, job: Job, **changes: Any) -> Run:
    return await put(database, job, RunStatus.RUNNING, **changes)


def ending(run: Run, job: Job, end: AttemptEnd = SUCCESS, rest: LogPiece = LogPiece()) -> Ending:  # noqa: B008 (frozen)
    return Ending(Claimed(run, job), end, LATER, rest)


async def finish(database: Database, *ends: Ending) -> set[int]:
    return await database.direct().write(lambda connection: finishing.finish_all(connection, ends))


async def find(database: Database, run: Run) -> Run:
    async with database.read() as connection:
        found = await runs.find(connection, run.id)
    assert found is not None
    return found


async def test_ends_are_stored_with_runs_attempts_jobs_and_logs(database: Database) -> None:
    first, second = await add_job(database), await add_job(database)
    won, lost = await running(database, first), await running(database, second)
    outcome = replace(SUCCESS, result={"n": 1}, last_result={"n": 1}, usage={"cpu_seconds": 0.5}, message="done")

    ends = (ending(won, first, outcome, LogPiece(0, b"all\n")), ending(lost, second, FAILURE))
    assert await finish(database, *ends) == {won.id, lost.id}

    after, failed = await find(database, won), await find(database, lost)
    assert (after.status, after.result, after.usage, after.message, after.finished_at, after.log_bytes) == (
        RunStatus.SUCCESS, {"n": 1}, {"cpu_seconds": 0.5}, "done", LATER, 4
    )  # fmt: skip
    assert (failed.status, failed.reason, failed.exit_code) == (RunStatus.FAILED, Reason.EXIT_CODE, 3)
    async with database.read() as connection:
        assert await logs.read(connection, won.id) == b"all\n"
        (attempt,) = await runs.find_attempts(connection, won.id)
        job, other = await jobs.find(connection, first.id), await jobs.find(connection, second.id)
    assert (attempt.status, attempt.finished_at, attempt.usage) == (RunStatus.SUCCESS, LATER, {"cpu_seconds": 0.5})
    assert job is not None
    assert (job.last_run_at, job.last_run_status, job.last_result) == (NOON, RunStatus.SUCCESS, {"n": 1})
    assert other is not None
    assert (other.last_run_status, other.last_result, other.failures_in_a_row) == (RunStatus.FAILED, None, 1)


@pytest.mark.parametrize("change", [{"attempt": 7}, {"worker_id": "another"}, {"fault_count": 1}])
async def test_end_is_refused_among_others_when_its_lease_is_stale(database: Database, change: dict[str, Any]) -> None:
    job = await add_job(database)
    held, lost = await running(database, job), await running(database, job)
    stale = replace(lost, **change)

    assert await finish(database, ending(held, job), ending(stale, job, rest=LogPiece(0, b"late"))) == {held.id}

    after = await find(database, lost)
    assert (after.status, after.log_bytes) == (RunStatus.RUNNING, 0)
    async with database.read() as connection:
        assert await logs.read(connection, lost.id) == b""


async def test_end_is_refused_when_the_log_is_at_another_byte(database: Database) -> None:
    job = await add_job(database)
    run = await running(database, job, log_bytes=9)
    assert await finish(database, ending(run, job, rest=LogPiece(4, b"late"))) == set()
    assert await finish(database, ending(run, job, rest=LogPiece(9, b"next"))) == {run.id}


async def test_job_has_the_outcome_of_its_latest_run(database: Database) -> None:
    job = await add_job(database)
    older, newer = await running(database, job), await running(database, job, started_at=LATER)
    await finish(database, ending(newer, job), ending(older, job))
    await finish(database, ending(await running(database, job), job, FAILURE))
    async with database.read() as connection:
        after = await jobs.find(connection, job.id)
    assert after is not None
    assert (after.last_run_at, after.last_run_status, after.failures_in_a_row) == (LATER, RunStatus.SUCCESS, 1)


@pytest.mark.parametrize(("end", "failures"), [(SUCCESS, 0), (FAILURE, 3), (CANCELLED, 2)])
async def test_end_counts_failures_in_a_row(database: Database, end: AttemptEnd, failures: int) -> None:
    job = await add_job(database, failures_in_a_row=2)
    await finish(database, ending(await running(database, job), job, end))
    async with database.read() as connection:
        after = await jobs.find(connection, job.id)
    assert after is not None
    assert after.failures_in_a_row == failures


async def test_artifacts_of_the_attempt_before_stay_if_no_code_has_run(database: Database) -> None:
    job, kept = await add_job(database), [{"name": "a", "size": 1}]
    run, other = await running(database, job, artifacts=kept), await running(database, job, artifacts=kept)
    await finish(database, ending(run, job, replace(SUCCESS, artifacts=None)))
    await finish(database, ending(other, job, replace(SUCCESS, artifacts=[])))
    assert ((await find(database, run)).artifacts, (await find(database, other)).artifacts) == (kept, [])
    assert (await find(database, run)).worker_id == ME


def test_failure_that_may_pause_its_job_is_not_shared() -> None:
    run: Any = None
    for limit, is_shared in ((None, True), (3, False)):
        job: Any = type("AJob", (), {"pause_after_failures": limit})()
        assert ending(run, job, FAILURE).can_be_shared is is_shared
        assert ending(run, job, SUCCESS).can_be_shared
