"""An edit is planned with the job as it is in its transaction."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.callers import ANN
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.environment_lock import EnvironmentLock
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.storage.database import Database

PROGRAM = {"type": "python_code", "code": "pass"}


class _SlowIndex:
    """Locks requirements while somebody else describes the job."""

    jobs: JobService

    async def lock(self, requirements: tuple[str, ...]) -> EnvironmentLock:
        await self.jobs.patch(ANN, 1, {"description": "of somebody else"})
        return EnvironmentLock("0" * 32, "\n".join(requirements), requirements)

    async def keep(self, connection: AsyncConnection, lock: EnvironmentLock) -> None:
        """Store nothing."""


async def test_patch_keeps_what_another_one_changed_meanwhile(database: Database, clock: FakeClock) -> None:
    index = _SlowIndex()
    index.jobs = JobService(database, RecordingBroker(), clock, lambda: None, packages=index)
    document = {"name": "a job", "schedule_expr": None, "payload": PROGRAM}
    await index.jobs.create(ANN, JobDefinition.model_validate(document))

    edited = await index.jobs.patch(ANN, 1, {"payload": {"requirements": ["attrs"]}})

    assert (edited.version, edited.description) == (3, "of somebody else")
    assert edited.payload["requirements"] == ["attrs"]
