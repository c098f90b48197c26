"""Runs that a client asks for: the overlap policy, and the arguments and variables of single runs."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.callers import ADMIN
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.errors import ConflictError, InvalidInputError
from scheduler_service.services.inspection import RejectedError
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.services.run_request import RunRequest, read_run_request
from scheduler_service.storage import run_lists
from scheduler_service.storage.database import Database

FORCED = RunRequest(ignore_overlap=True)


@pytest.fixture
def service(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, RecordingBroker(), clock, lambda: None)


async def create(service: JobService, **changes: Any) -> Job:
    payload = {"type": "shell_script", "script": "true"}
    document = {"name": "a job", "schedule_expr": "@hourly", "payload": payload, **changes}
    return await service.create(ADMIN, JobDefinition.model_validate(document))


async def statuses(database: Database, job: Job) -> list[RunStatus]:
    async with database.read() as connection:
        listing = await run_lists.page(connection, RunFilter(job_id=job.id), Page())
    return [run.status for run in reversed(listing.items)]


class TestOverlap:
    async def test_skip_refuses_a_run_of_a_busy_job(self, service: JobService, database: Database) -> None:
        job = await create(service, overlap_policy="skip", max_concurrency=2)
        first = await service.run(ADMIN, job.id)
        await service.run(ADMIN, job.id)
        with pytest.raises(ConflictError, match=f"run {first.id} of job {job.id} is queued.*ignore_overlap=true"):
            await service.run(ADMIN, job.id)
        assert len(await statuses(database, job)) == 2

    @pytest.mark.parametrize("policy", ["queue", "allow"])
    async def test_queue_and_allow_queue_every_run(self, service: JobService, database: Database, policy: str) -> None:
        job = await create(service, overlap_policy=policy)
        for _ in range(3):
            await service.run(ADMIN, job.id)
        assert await statuses(database, job) == [RunStatus.QUEUED] * 3

    async def test_cancel_running_cancels_the_others(self, service: JobService, database: Database) -> None:
        job = await create(service, overlap_policy="cancel_running")
        for _ in range(2):
            await service.run(ADMIN, job.id)
        assert await statuses(database, job) == [RunStatus.CANCELLED, RunStatus.QUEUED]

    @pytest.mark.parametrize("policy", ["skip", "cancel_running"])
    async def test_run_that_ignores_overlap_is_queued(
        self, service: JobService, database: Database, policy: str
    ) -> None:
        job = await create(service, overlap_policy=policy)
        for _ in range(2):
            await service.run(ADMIN, job.id, FORCED)
        assert await statuses(database, job) == [RunStatus.QUEUED] * 2

    async def test_repeated_request_returns_its_run_of_a_busy_job(self, service: JobService) -> None:
        job = await create(service)
        first = await service.run(ADMIN, job.id, idempotency_key="k")
        assert (await service.run(ADMIN, job.id, idempotency_key="k")).id == first.id


class TestInputs:
    async def test_inputs_are_stored_with_the_run_alone(self, service: JobService) -> None:
        job = await create(service, env={"LEVEL": "1"}, args={"day": 1})
        run = await service.run(ADMIN, job.id, RunRequest(args={"day": None}, env={"LEVEL": "2"}, ignore_overlap=True))
        plain = await service.run(ADMIN, job.id, FORCED)
        assert (run.args, run.env) == ({"day": None}, {"LEVEL": "2"})
        assert (plain.args, plain.env) == (None, None)
        assert (await service.get(ADMIN, job.id)).args == {"day": 1}

    async def test_key_with_other_inputs_is_refused(self, service: JobService) -> None:
        job = await create(service, overlap_policy="queue")
        await service.run(ADMIN, job.id, RunRequest(args={"day": 1}), idempotency_key="k")
        for other in (RunRequest(args={"day": 2}), RunRequest()):
            with pytest.raises(InvalidInputError, match="another request"):
                await service.run(ADMIN, job.id, other, idempotency_key="k")

    async def test_inputs_that_do_not_fit_beside_the_job_s_are_refused(self, service: JobService) -> None:
        job = await create(service, args={"a": "x" * 100_000}, env={f"A{i}": "" for i in range(100)})
        for request, field in ((RunRequest(args={"b": "x" * 100_000}), "args"), (RunRequest(env={"B": ""}), "env")):
            with pytest.raises(InvalidInputError) as refused:
                await service.run(ADMIN, job.id, request)
            assert [problem.field for problem in refused.value.problems] == [field]

    def test_every_wrong_field_is_named(self) -> None:
        with pytest.raises(RejectedError) as refused:
            read_run_request({"env": {"HOME": "/"}, "args": [], "ignore_overlap": "yes", "force": True})
        assert {item["loc"][0] for item in refused.value.items} == {"env", "args", "ignore_overlap", "force"}
