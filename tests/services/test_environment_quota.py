"""The quota of environments, for jobs that are created and changed."""

from __future__ import annotations

from hashlib import sha256

import pytest
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.callers import ANN
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.environment_lock import EnvironmentLock
from scheduler_service.domain.quotas import Quotas
from scheduler_service.errors import QuotaError
from scheduler_service.services.checks import ServerLimits
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.storage import quotas
from scheduler_service.storage.database import Database


class _Packages:
    """Locks requirements as they are."""

    async def lock(self, requirements: tuple[str, ...]) -> EnvironmentLock:
        text = "\n".join(requirements)
        return EnvironmentLock(sha256(text.encode()).hexdigest()[:32], text, requirements)

    async def keep(self, connection: AsyncConnection, lock: EnvironmentLock) -> None:
        """Store nothing."""


def payload(*requirements: str) -> dict[str, JsonValue]:
    return {"type": "python_code", "code": "pass", "requirements": list(requirements)}


def definition(*requirements: str) -> JobDefinition:
    return JobDefinition.model_validate({"name": "a job", "schedule_expr": None, "payload": payload(*requirements)})


async def test_job_with_a_further_environment_is_refused(database: Database, clock: FakeClock) -> None:
    limits = ServerLimits(quotas=Quotas(environments=1))
    jobs = JobService(database, RecordingBroker(), clock, lambda: None, limits, packages=_Packages())
    first = await jobs.create(ANN, definition("attrs"))
    await jobs.create(ANN, definition("attrs"))
    plain = await jobs.create(ANN, definition())

    with pytest.raises(QuotaError, match="would use 2 environments"):
        await jobs.create(ANN, definition("idna"))
    with pytest.raises(QuotaError):
        await jobs.patch(ANN, plain.id, {"payload": payload("idna")})
    with pytest.raises(QuotaError):
        await jobs.patch(ANN, first.id, {"payload": payload("idna")})
    async with database.read() as connection:
        assert await quotas.count_environments(connection, first.owner_id) == 1
