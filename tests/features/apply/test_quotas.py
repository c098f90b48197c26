"""Applies and the quotas of owners: all or nothing, and two applies do not wait for each other forever."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import pytest
from pydantic import JsonValue
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.callers import ADMIN
from testkit.doubles import FakeClock, RecordingBroker
from testkit.waiting import eventually

from scheduler_service.domain.environment_lock import EnvironmentLock
from scheduler_service.domain.listing import JobFilter, Page
from scheduler_service.domain.quotas import Quotas
from scheduler_service.errors import QuotaError
from scheduler_service.features.apply.service import ApplyService
from scheduler_service.services.checks import ServerLimits
from scheduler_service.services.jobs import JobService
from scheduler_service.storage import quotas
from scheduler_service.storage.database import Database


class _Packages:
    """Locks requirements as they are."""

    async def lock(self, requirements: tuple[str, ...]) -> EnvironmentLock:
        lines = "\n".join(requirements)
        return EnvironmentLock(sha256(lines.encode()).hexdigest()[:32], lines, requirements)

    async def keep(self, connection: AsyncConnection, lock: EnvironmentLock) -> None:
        """Store nothing."""


def service(database: Database, clock: FakeClock, allowed: Quotas) -> tuple[JobService, ApplyService]:
    limits = ServerLimits(quotas=allowed)
    jobs = JobService(database, RecordingBroker(), clock, lambda: None, limits, packages=_Packages())
    return jobs, ApplyService(database, clock, jobs)


def document(owner_id: str, name: str, *requirements: str, **changes: Any) -> dict[str, Any]:
    payload: dict[str, JsonValue] = {"type": "python_code", "code": "pass", "requirements": list(requirements)}
    return {"owner_id": owner_id, "name": name, "schedule_expr": None, "payload": payload, **changes}


@pytest.mark.parametrize(
    ("allowed", "changes"),
    [(Quotas(jobs=2), {}), (Quotas(min_interval_seconds=3600), {"schedule_expr": "5m"})],
)
async def test_apply_above_a_quota_changes_nothing(
    database: Database, clock: FakeClock, allowed: Quotas, changes: dict[str, Any]
) -> None:
    jobs, applies = service(database, clock, allowed)
    await applies.apply(ADMIN, [document("ann", "first")])
    wanted = [document("ann", "first", "attrs"), document("ann", "second"), document("ann", "third", **changes)]

    with pytest.raises(QuotaError, match="'third'"):
        await applies.apply(ADMIN, wanted)
    (kept,) = (await jobs.page(ADMIN, JobFilter(), Page())).items
    assert (kept.name, kept.version) == ("first", 1)


async def test_applies_over_two_owners_do_not_deadlock(migrated_postgres_url: str, clock: FakeClock) -> None:
    database = Database(migrated_postgres_url)
    _, applies = service(database, clock, Quotas(jobs=100, environments=100))
    await applies.apply(ADMIN, [document("ann", "old"), document("bob", "old")])

    async with database.write() as connection:
        await quotas.lock(connection, "bob")
        one = asyncio.create_task(applies.apply(ADMIN, [document("bob", "new"), document("ann", "old", "attrs")]))
        await eventually(lambda: _waiting(database, 1))
        other = asyncio.create_task(applies.apply(ADMIN, [document("ann", "new"), document("bob", "old", "attrs")]))
        await eventually(lambda: _waiting(database, 2))
    plans = await asyncio.gather(one, other)
    await database.close()

    assert [len(plan.steps) for plan in plans] == [2, 2]


async def _waiting(database: Database, count: int) -> bool:
    async with database.read() as connection:
        query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool((await connection.execute(query)).scalar_one() == count)
