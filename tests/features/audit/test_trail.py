"""The audit trail: its entries and their transaction, its filters, its retention, and the limit of refused attempts."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from testkit.callers import ADMIN, ANN
from testkit.doubles import FakeClock, Stopwatch

from scheduler_service.config.loading import load_settings
from scheduler_service.domain.audit import AuditEntry, AuditFilter
from scheduler_service.domain.caller import Caller
from scheduler_service.engine.base import Base
from scheduler_service.errors import ForbiddenError
from scheduler_service.features.audit.loops import prune
from scheduler_service.features.audit.refusals import MAX_A_MINUTE
from scheduler_service.features.audit.service import AuditService
from scheduler_service.services.audit import Refusal, Target, record
from scheduler_service.storage.database import Database

CALLER = Caller("ann", ANN.scopes, key_id="4f1f2c9b7a10", address="192.0.2.10")
REFUSAL = Refusal(operation="createJob", path="/api/v1/jobs", status=401, address="192.0.2.9", caller=None)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def trail(database: Database, clock: FakeClock, watch: Stopwatch) -> AuditService:
    return AuditService(database, clock, watch)


async def add(database: Database, clock: FakeClock, operation: str, name: str = "jobs/7") -> None:
    async with database.write() as connection:
        await record(connection, CALLER, operation, Target(name, "ann"), clock.now(), after={"name": "x"})


async def entries(trail: AuditService, **filters: object) -> list[AuditEntry]:
    return list(await trail.page(ADMIN, AuditFilter(**filters), 100))  # type: ignore[arg-type]


async def test_entry_says_who_did_what_from_where(database: Database, clock: FakeClock, trail: AuditService) -> None:
    await add(database, clock, "createJob")
    (entry,) = await entries(trail)
    assert (entry.key_id, entry.caller_owner_id, entry.address) == ("4f1f2c9b7a10", "ann", "192.0.2.10")
    assert (entry.operation, entry.object, entry.owner_id, entry.outcome) == ("createJob", "jobs/7", "ann", "done")
    assert (entry.at, entry.changes) == (clock.now(), {"name": {"after": "x"}})


async def test_no_entry_is_left_when_the_change_is_rolled_back(database: Database, trail: AuditService) -> None:
    async def change() -> None:
        async with database.write() as connection:
            await record(connection, CALLER, "createJob", Target("jobs/7"), FakeClock().now())
            raise ForbiddenError("stop")

    with pytest.raises(ForbiddenError):
        await change()
    assert await entries(trail) == []


async def test_filters_restrict_the_list(database: Database, clock: FakeClock, trail: AuditService) -> None:
    await add(database, clock, "createJob")
    clock.advance(60)
    await add(database, clock, "deleteJob")
    await trail.note(REFUSAL)

    for filters, operations in (
        ({}, ["createJob", "deleteJob", "createJob"]),
        ({"operation": "deleteJob"}, ["deleteJob"]),
        ({"outcome": "refused"}, ["createJob"]),
        ({"object": "jobs/7", "key_id": "4f1f2c9b7a10", "owner_id": "ann"}, ["deleteJob", "createJob"]),
        ({"until": clock.now()}, ["createJob"]),
        ({"since": clock.now()}, ["createJob", "deleteJob"]),
        ({"owner_id": "bob"}, []),
    ):
        assert [entry.operation for entry in await entries(trail, **filters)] == operations
    newest = (await entries(trail))[0]
    assert [entry.operation for entry in await entries(trail, before=newest.id)] == ["deleteJob", "createJob"]


async def test_refused_attempts_are_bounded_and_the_rest_is_counted(trail: AuditService, watch: Stopwatch) -> None:
    for _ in range(MAX_A_MINUTE + 5):
        await trail.note(REFUSAL)
    assert len(await entries(trail)) == MAX_A_MINUTE
    watch.seconds += 60
    await trail.note(REFUSAL)
    newest = (await entries(trail))[0]
    assert newest.changes == {"status": 401, "left_out_before": 5}
    assert (newest.outcome, newest.address, newest.object) == ("refused", "192.0.2.9", "/api/v1/jobs")


async def test_only_an_administrator_reads_the_trail(trail: AuditService) -> None:
    with pytest.raises(ForbiddenError):
        await trail.page(ANN, AuditFilter(), 1)


async def test_old_entries_are_deleted_after_their_own_time(
    database: Database, clock: FakeClock, trail: AuditService, tmp_path: Path
) -> None:
    settings = load_settings(data_dir=tmp_path, audit_retention_days=10, retention_days=1)
    await add(database, clock, "createJob")
    clock.advance(timedelta(days=9).total_seconds())
    await add(database, clock, "deleteJob")
    base = Base(AsyncExitStack(), settings, database, clock)  # type: ignore[arg-type]
    await prune(base)
    assert len(await entries(trail)) == 2
    clock.advance(timedelta(days=2).total_seconds())
    await prune(base)
    assert [entry.operation for entry in await entries(trail)] == ["deleteJob"]
