"""Jobs without a schedule: they run only when somebody asks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.callers import ADMIN
from testkit.databases import NOON
from testkit.doubles import FakeClock, RecordingBroker
from testkit.records import job_record

from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import JobStatus, RunStatus
from scheduler_service.services.inspection import RejectedError
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.services.json_document import JsonDocument
from scheduler_service.services.schedules import ScheduleService
from scheduler_service.storage import ledger
from scheduler_service.storage.database import Database

HOUR = timedelta(hours=1)


@pytest.fixture
def service(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, RecordingBroker(), clock, lambda: None)


@pytest.fixture
def schedules(clock: FakeClock) -> ScheduleService:
    return ScheduleService(clock)


async def create(service: JobService, **changes: Any) -> Job:
    payload = {"type": "shell_script", "script": "true"}
    document = {"name": "a job", "schedule_expr": None, "payload": payload, **changes}
    return await service.create(ADMIN, JobDefinition.model_validate(document))


async def test_job_on_demand_is_active_and_never_due(service: JobService, database: Database) -> None:
    job = await create(service)
    async with database.read() as connection:
        due_at = (await ledger.earliest_due(connection)).due_at
    assert (job.status, job.schedule_expr, job.next_run_at, due_at) == (JobStatus.ACTIVE, None, None, None)
    assert await service.next_instants(ADMIN, job.id, 10) == ()


async def test_job_on_demand_can_be_run_paused_and_resumed(service: JobService) -> None:
    job = await create(service)
    assert (await service.pause(ADMIN, job.id)).status is JobStatus.PAUSED
    assert (await service.run(ADMIN, job.id)).status is RunStatus.QUEUED
    resumed = await service.resume(ADMIN, job.id)
    assert (resumed.status, resumed.next_run_at) == (JobStatus.ACTIVE, None)


async def test_job_can_be_created_paused_without_a_schedule(service: JobService) -> None:
    assert (await create(service, enabled=False)).status is JobStatus.PAUSED


async def test_patch_moves_between_a_schedule_and_none(service: JobService) -> None:
    job = await create(service)
    scheduled = await service.patch(ADMIN, job.id, {"schedule_expr": "@hourly"})
    again = await service.patch(ADMIN, job.id, {"schedule_expr": None})
    assert (scheduled.status, scheduled.next_run_at) == (JobStatus.ACTIVE, NOON + HOUR)
    assert (again.status, again.schedule_expr, again.next_run_at) == (JobStatus.ACTIVE, None, None)
    assert [job.schedule_version, scheduled.schedule_version, again.schedule_version] == [1, 2, 3]


async def test_patch_of_another_field_keeps_it_without_a_schedule(service: JobService) -> None:
    job = await create(service)
    patched = await service.patch(ADMIN, job.id, {"name": "renamed", "end_at": "2020-01-01T00:00:00Z"})
    assert (patched.name, patched.schedule_expr, patched.next_run_at) == ("renamed", None, None)


async def test_finished_job_becomes_a_job_on_demand(service: JobService, clock: FakeClock) -> None:
    job = await create(service, schedule_expr="2026-01-15T13:00:00Z")
    clock.advance(7200)
    assert (await service.patch(ADMIN, job.id, {"name": "late"})).status is JobStatus.FINISHED
    assert (await service.patch(ADMIN, job.id, {"schedule_expr": None})).status is JobStatus.ACTIVE


async def test_schedule_must_be_given_even_if_it_is_null(service: JobService) -> None:
    document: JsonDocument = {"name": "a job", "payload": {"type": "shell_script", "script": "true"}}
    with pytest.raises(RejectedError, match="schedule_expr"):
        await service.read(ADMIN, document)


async def test_description_says_on_demand(service: JobService, schedules: ScheduleService) -> None:
    described = schedules.describe(await create(service))
    assert (described.sentence, described.warnings) == ("On demand", ())


@pytest.mark.parametrize(
    ("ids", "mode", "sentence"),
    [
        ([7], "all", "After job 7"),
        ([7, 8], "all", "After all of the jobs 7, 8"),
        ([7, 8], "any", "After any of the jobs 7, 8"),
    ],
)
def test_job_that_follows_others_is_described_by_them(
    schedules: ScheduleService, ids: list[int], mode: str, sentence: str
) -> None:
    after = [{"job": id_, "on": "success"} for id_ in ids]
    job = job_record(schedule_expr=None, next_run_at=None, after=after, after_mode=mode)
    assert schedules.describe(job).sentence == sentence


async def test_preview_of_no_schedule_is_empty(schedules: ScheduleService) -> None:
    preview = await schedules.preview(ADMIN, await schedules.read(ADMIN, {"schedule_expr": None}))
    assert (preview.instants, preview.description.sentence) == ((), "On demand")


async def test_settings_of_schedules_have_a_warning(service: JobService, schedules: ScheduleService) -> None:
    job = await create(service, misfire_policy="fire_all", jitter_seconds=5, dst={"gap": "skip", "fold": "first"})
    (warning,) = schedules.describe(job).warnings
    assert warning == (
        "schedule_expr is null, so the job runs on demand and misfire_policy, jitter_seconds, dst have no effect."
    )


async def test_wrong_zone_is_refused_without_a_schedule(service: JobService) -> None:
    with pytest.raises(RejectedError, match="timezone"):
        await create(service, timezone="Europe/Nowhere")
