"""Claims divide slots between owners."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update
from testkit.databases import NOON, add_job
from testkit.lock_waits import wait_for_lock_waiter
from tests.storage.stored_runs import ME, put

from scheduler_service.domain.fair_turns import FairTurns
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage import claims, workers
from scheduler_service.storage.claims import SlotTakenError
from scheduler_service.storage.database import Database
from scheduler_service.storage.quota_tables import owner_quotas
from scheduler_service.storage.tables import runs

MANY, FEW = "a large team", "small"
SECOND = timedelta(seconds=1)


class Worker:
    """A worker whose runs end when a test says so."""

    def __init__(self, database: Database, max_concurrent_runs: int | None = None) -> None:
        self.database = database
        self.begun: list[str] = []
        self.running: list[int] = []
        self._max_concurrent_runs = max_concurrent_runs
        self._turns = FairTurns()

    async def claim(self, limit: int) -> list[str]:
        """Fill free slots. Return the owners of the runs that begin."""
        async with self.database.write() as connection:
            claimed = await claims.claim(
                connection, ME, NOON, limit, turns=self._turns, max_concurrent_runs=self._max_concurrent_runs
            )
        owners = [each.run.owner_id for each in claimed]
        self._turns.note(owners)
        self.begun += owners
        self.running += [each.run.id for each in claimed]
        return owners

    async def end_oldest(self) -> None:
        ended = {"status": RunStatus.SUCCESS, "exit_code": 0, "finished_at": NOON, "concurrency_slot": None}
        async with self.database.write() as connection:
            await connection.execute(update(runs).where(runs.c.id == self.running.pop(0)).values(ended))

    async def work(self, slots: int, count: int) -> list[str]:
        """Begin so many runs, one as soon as another ends. Return their owners in the order of their beginnings."""
        while len(self.begun) < count:
            if not await self.claim(slots - len(self.running)):
                await self.end_oldest()
        return self.begun[:count]


@pytest.fixture
async def worker(database: Database) -> Worker:
    async with database.write() as connection:
        await workers.register(connection, ME, host="h", pid=1, slots=4, now=NOON)
    return Worker(database)


async def queue(database: Database, owner_id: str, count: int, **changes: Any) -> None:
    job = await add_job(database, owner_id=owner_id, next_run_at=None, status="paused", **changes)
    for number in range(count):
        await put(database, job, priority=job.priority, available_at=NOON - timedelta(seconds=count - number))


async def give(database: Database, owner_id: str, **quotas: int) -> None:
    async with database.write() as connection:
        await connection.execute(insert(owner_quotas), {"owner_id": owner_id, "updated_at": NOON, **quotas})


async def test_small_owner_waits_only_for_runs_in_progress(database: Database, worker: Worker) -> None:
    await queue(database, MANY, 20, priority=9)
    assert await worker.claim(4) == [MANY] * 4
    await queue(database, FEW, 3, priority=0)

    await worker.end_oldest()
    assert await worker.claim(1) == [FEW]
    assert (await worker.work(4, 10)).count(FEW) == 3


async def test_runs_on_other_workers_count(database: Database, worker: Worker) -> None:
    busy = await add_job(database, owner_id=MANY, next_run_at=None, status="paused")
    await put(database, busy, RunStatus.RUNNING)
    await queue(database, MANY, 2)
    await queue(database, FEW, 2)

    assert MANY < FEW  # the order of names decides nothing here
    assert await worker.claim(1) == [FEW]


@pytest.mark.parametrize("slots", [1, 2, 4])
async def test_two_owners_share_slots_equally(database: Database, worker: Worker, slots: int) -> None:
    await queue(database, MANY, 12)
    await queue(database, FEW, 6)

    assert Counter(await worker.work(slots, 12)) == {MANY: 6, FEW: 6}


@pytest.mark.parametrize("slots", [1, 4])
async def test_slots_are_shared_by_weight(database: Database, worker: Worker, slots: int) -> None:
    await give(database, MANY, weight=3)
    await queue(database, MANY, 12)
    await queue(database, FEW, 6)

    assert Counter(await worker.work(slots, 12)) == {MANY: 9, FEW: 3}


async def test_more_owners_than_slots_take_turns(database: Database, worker: Worker) -> None:
    owners = [f"owner {number}" for number in range(5)]
    for owner_id in owners:
        await queue(database, owner_id, 3)

    begun = await worker.work(2, 15)
    assert [set(begun[place : place + 5]) for place in (0, 5, 10)] == [set(owners)] * 3


async def test_priority_comes_before_instant_within_an_owner(database: Database, worker: Worker) -> None:
    await queue(database, MANY, 2, priority=3)
    await queue(database, MANY, 2, priority=7)
    await worker.claim(4)

    async with database.read() as connection:
        rows = await connection.execute(runs.select().where(runs.c.id.in_(worker.running)))
        known = {row.id: (row.priority, row.available_at) for row in rows}
    assert [known[run_id] for run_id in worker.running] == [
        (7, NOON - 2 * SECOND),
        (7, NOON - SECOND),
        (3, NOON - 2 * SECOND),
        (3, NOON - SECOND),
    ]


async def test_blocked_owners_do_not_hold_up_another(database: Database, worker: Worker) -> None:
    for number in range(3):
        busy = await add_job(
            database, owner_id=f"busy {number}", overlap_policy="queue", next_run_at=None, status="paused"
        )
        await put(database, busy, RunStatus.RUNNING, owner_id="elsewhere", concurrency_slot=0)
        await put(database, busy)
    await queue(database, FEW, 1)

    assert await worker.claim(2) == [FEW]


async def claim_until_full(worker: Worker, limit: int = 4) -> Counter[str]:
    while await worker.claim(limit):
        pass
    return Counter(worker.begun)


@pytest.mark.parametrize("limit", [1, 4])
async def test_quota_of_concurrent_runs_holds(database: Database, worker: Worker, limit: int) -> None:
    await give(database, MANY, concurrent_runs=2)
    await queue(database, MANY, 5)
    await queue(database, FEW, 5)

    assert await claim_until_full(worker, limit) == {MANY: 2, FEW: 5}
    for _ in range(7):
        await worker.end_oldest()
    assert await worker.claim(4) == [MANY] * 2


@pytest.mark.parametrize(("own", "expected"), [(0, 5), (3, 3), (None, 1)])
async def test_quota_of_an_owner_wins_over_the_default(
    database: Database, worker: Worker, own: int | None, expected: int
) -> None:
    if own is not None:
        await give(database, MANY, concurrent_runs=own)
    await queue(database, MANY, 5)
    limited = Worker(database, max_concurrent_runs=1)

    assert await claim_until_full(limited) == {MANY: expected}


async def test_two_claims_at_once_keep_the_quota(migrated_postgres_url: str) -> None:
    database = Database(migrated_postgres_url)
    async with database.write() as connection:
        await workers.register(connection, ME, host="h", pid=1, slots=4, now=NOON)
    await give(database, MANY, concurrent_runs=2)
    await queue(database, MANY, 1)
    first = Worker(database)
    await first.claim(1)
    await queue(database, MANY, 4)

    async def claim_beside() -> Sequence[object]:
        async with database.write() as connection:
            return await claims.claim(connection, ME, NOON, 1)

    async with database.write() as connection:
        assert len(await claims.claim(connection, ME, NOON, 1)) == 1
        beside = asyncio.create_task(claim_beside())
        await wait_for_lock_waiter(database)
    with pytest.raises(SlotTakenError):
        await beside
    assert await claim_beside() == []
    await database.close()
