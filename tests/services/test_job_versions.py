"""Versions of jobs: what each change keeps, and what a restore brings back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from testkit.callers import ADMIN, ANN, BOB
from testkit.claiming import claim_run
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.errors import InvalidInputError, NotFoundError, PreconditionFailedError
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_versions import JobVersionService
from scheduler_service.services.jobs import JobService
from scheduler_service.storage import job_versions, workers
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import runs

SECRET = {"TOKEN": "correct horse"}


@pytest.fixture
def jobs(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, RecordingBroker(), clock, lambda: None)


@pytest.fixture
def versions(database: Database) -> JobVersionService:
    return JobVersionService(database)


def definition(**changes: object) -> JobDefinition:
    known = {"name": "a", "schedule_expr": "* * * * *", "payload": {"type": "shell_script", "script": "echo 1"}}
    return JobDefinition.model_validate({**known, **changes})


async def test_each_change_keeps_who_and_what(jobs: JobService, versions: JobVersionService, clock: FakeClock) -> None:
    job = await jobs.create(ANN, definition())
    clock.advance(60)
    await jobs.patch(ADMIN, job.id, {"priority": 7})
    await jobs.patch(ADMIN, job.id, {"priority": 7})  # no change, no version
    await jobs.pause(ANN, job.id)
    found, following = await versions.newest(ANN, job.id, None, 10)
    assert following is None
    assert [(each.version, each.operation, each.caller_owner_id, each.changed) for each in found] == [
        (3, "pauseJob", "ann", ["enabled"]),
        (2, "patchJob", None, ["priority"]),
        (1, "createJob", "ann", []),
    ]
    assert (found[2].created_at, found[2].replaced_at, found[0].replaced_at) == (NOON, found[1].created_at, None)


async def test_number_that_no_version_can_have_is_no_error(jobs: JobService, versions: JobVersionService) -> None:
    job = await jobs.create(ANN, definition())
    found, _ = await versions.newest(ANN, job.id, 2**63 - 1, 10)
    assert [each.version for each in found] == [1]
    with pytest.raises(NotFoundError):
        await jobs.restore(ANN, job.id, 2**63 - 1)


async def test_version_shows_changes_without_secrets(jobs: JobService, versions: JobVersionService) -> None:
    job = await jobs.create(ANN, definition(env=SECRET))
    await jobs.patch(ANN, job.id, {"payload": {"script": "echo 2\n" * 1000}})
    view = await versions.get(ANN, job.id, 2)
    assert view.definition["env"] == {"TOKEN": "***"}
    assert view.changes is not None
    assert view.changes["payload"]["after"]["script"] == "echo 2\n" * 1000
    assert list(view.changes) == ["payload"]
    assert "correct horse" not in str(view.definition)


async def test_restore_brings_back_values_and_keeps_the_pause(jobs: JobService) -> None:
    job = await jobs.create(ANN, definition(env=SECRET, end_at="2027-01-15T12:03:00Z"))
    await jobs.patch(ANN, job.id, {"env": None, "schedule_expr": "@daily", "end_at": None})
    await jobs.pause(ANN, job.id)
    restored = await jobs.restore(ANN, job.id, 1)
    assert (restored.version, restored.env, restored.schedule_expr, restored.status) == (
        4,
        SECRET,
        "* * * * *",
        "paused",
    )
    assert restored.end_at == job.end_at


async def test_restore_is_refused_if_the_definition_is_not_allowed(jobs: JobService, clock: FakeClock) -> None:
    job = await jobs.create(ANN, definition(schedule_expr="2026-01-15T13:00:00Z"))
    await jobs.patch(ANN, job.id, {"schedule_expr": "@daily"})
    clock.advance(7200)
    with pytest.raises(InvalidInputError, match="schedule_expr: the instant is in the past"):
        await jobs.restore(ANN, job.id, 1)
    with pytest.raises(PreconditionFailedError):
        await jobs.restore(ANN, job.id, 1, frozenset({1}))


async def test_versions_of_another_owner_are_not_found(jobs: JobService, versions: JobVersionService) -> None:
    job = await jobs.create(ANN, definition())
    for attempt in (versions.newest(BOB, job.id, None, 10), versions.get(BOB, job.id, 1), jobs.restore(BOB, job.id, 1)):
        with pytest.raises(NotFoundError):
            await attempt
    with pytest.raises(NotFoundError, match="version 9 of job"):
        await versions.get(ANN, job.id, 9)


async def test_job_stored_before_versions_existed_gets_both(
    database: Database, jobs: JobService, versions: JobVersionService
) -> None:
    job = await add_job(database)
    assert [each.version for each in (await versions.newest(ADMIN, job.id, None, 10))[0]] == [1]
    await jobs.patch(ADMIN, job.id, {"priority": 7})
    assert [each.version for each in (await versions.newest(ADMIN, job.id, None, 10))[0]] == [2, 1]
    assert (await jobs.restore(ADMIN, job.id, 1)).priority == job.priority


async def test_run_names_the_version_that_it_ran(database: Database, jobs: JobService, clock: FakeClock) -> None:
    job = await jobs.create(ANN, definition(overlap_policy="allow"))
    clock.advance(60)
    await Dispatcher(database, RecordingBroker(), clock, tick_seconds=1).tick()
    await jobs.patch(ANN, job.id, {"priority": 7})
    by_hand = await jobs.run(ANN, job.id)
    async with database.write() as connection:
        scheduled = (await connection.execute(select(runs).where(runs.c.trigger == "schedule"))).one()
        await workers.register(connection, "w", host="h", pid=1, slots=1, now=NOON)
        claimed = await claim_run(connection, scheduled.id, "w", clock.now())
    assert (scheduled.job_version, by_hand.job_version) == (1, 2)
    assert claimed is not None
    assert (claimed.run.job_version, claimed.job.priority) == (2, 7)


async def test_replaced_versions_are_deleted_after_the_retention_time(
    database: Database, jobs: JobService, versions: JobVersionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await jobs.create(ANN, definition())
    for priority in (1, 2, 3):
        await jobs.patch(ANN, job.id, {"priority": priority})
    async with database.write() as connection:
        assert await job_versions.prune(connection, NOON, 10) == 0
        assert await job_versions.prune(connection, NOON + timedelta(seconds=1), 2) == 2
    monkeypatch.setattr(job_versions, "MAX_VERSIONS", 1)
    await jobs.patch(ANN, job.id, {"priority": 4})
    assert [each.version for each in (await versions.newest(ANN, job.id, None, 10))[0]] == [5]
