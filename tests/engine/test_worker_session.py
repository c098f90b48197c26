"""A worker's session: how it shows that it lives, and what it does when it cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from testkit.claiming import claim_new
from testkit.databases import NOON
from testkit.doubles import FakeClock, Stopwatch

from scheduler_service.domain.run_state import Reason, RunStatus, WorkerState
from scheduler_service.engine.worker_session import WorkerOptions, WorkerSession
from scheduler_service.errors import UnavailableError
from scheduler_service.storage import cancellations, runs, workers
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.database import Database
from scheduler_service.storage.leases import Lease

HEARTBEAT_SECONDS = 1.0
DEAD_SECONDS = 10.0


def node_on(
    database: Database, clock: FakeClock, watch: Stopwatch | None = None, on_alive: Callable[[], None] = lambda: None
) -> WorkerSession:
    return WorkerSession(
        database,
        clock,
        WorkerOptions(slots=2, heartbeat_seconds=HEARTBEAT_SECONDS, worker_dead_seconds=DEAD_SECONDS),
        on_alive=on_alive,
        monotonic=watch or Stopwatch(),
    )


@pytest.fixture
async def node(database: Database, clock: FakeClock) -> WorkerSession:
    node = node_on(database, clock)
    await node.register()
    return node


async def claim(database: Database, node: WorkerSession) -> Claimed:
    """Claim a run for the worker, as if it were about to execute it."""
    return await claim_new(database, node.id)


async def status_of(database: Database, claimed: Claimed) -> RunStatus:
    async with database.read() as connection:
        run = await runs.find(connection, claimed.run.id)
    assert run is not None
    return run.status


async def test_beat_advances_the_counter(database: Database, node: WorkerSession) -> None:
    assert await node.beat() == HEARTBEAT_SECONDS
    await node.beat()
    async with database.read() as connection:
        (worker,) = await workers.living(connection)
    assert (worker.beats, worker.state, worker.slots) == (2, WorkerState.ALIVE, 2)


async def test_beat_of_a_draining_worker_reports_draining(database: Database, node: WorkerSession) -> None:
    node.drain()
    await node.beat()
    async with database.read() as connection:
        (worker,) = await workers.living(connection)
    assert worker.state is WorkerState.DRAINING


async def test_drain_during_a_beat_is_kept(database: Database, clock: FakeClock) -> None:
    # The heartbeat carries the state before the drain, as if a signal arrived while it was on its way.
    draining = WorkerSession(
        database,
        clock,
        WorkerOptions(slots=2, heartbeat_seconds=HEARTBEAT_SECONDS, worker_dead_seconds=DEAD_SECONDS),
        sandbox_level=lambda: draining.drain(),  # noqa: PLW0108 (the session does not exist yet)
    )
    await draining.register()
    draining.state = WorkerState.ALIVE
    await draining.beat()
    assert draining.state is WorkerState.DRAINING


async def test_beat_brings_cancel_requests(database: Database, node: WorkerSession) -> None:
    claimed = await claim(database, node)
    handle = node.track(claimed.lease)
    async with database.write() as connection:
        await cancellations.request_cancel(connection, claimed.run.id, Reason.USER, NOON)
    await node.beat()
    assert handle.cancel_reason is Reason.USER
    assert not handle.is_interrupted


async def test_leases_are_renewed_only_after_a_successful_beat(database: Database, clock: FakeClock) -> None:
    said: list[str] = []
    away = Database("postgresql://nobody@127.0.0.1:1/none")
    node, cut_off = (node_on(place, clock, on_alive=lambda: said.append("alive")) for place in (database, away))
    await node.register()
    await node.beat()
    with pytest.raises(UnavailableError):
        await cut_off.beat()
    assert said == ["alive"]
    await away.close()


async def test_attempts_are_given_up_before_the_worker_counts_as_dead(clock: FakeClock) -> None:
    unreachable = Database("postgresql://nobody@127.0.0.1:1/none")
    watch = Stopwatch()
    node = node_on(unreachable, clock, watch)
    handle = node.track(Lease(1, 1, node.id))
    watch.seconds += DEAD_SECONDS / 2
    with pytest.raises(UnavailableError):
        await node.beat()
    assert not handle.is_interrupted
    watch.seconds += DEAD_SECONDS / 4
    with pytest.raises(UnavailableError):
        await node.beat()
    assert handle.is_interrupted, "others may take its runs after DEAD_SECONDS; it has to be done before"
    await unreachable.close()


async def test_worker_declared_dead_registers_under_a_new_id(database: Database, node: WorkerSession) -> None:
    handle = node.track((await claim(database, node)).lease)
    old_id = node.id
    async with database.write() as connection:
        (worker,) = await workers.living(connection)
        await workers.mark_dead(connection, worker)
    await node.beat()
    assert handle.is_interrupted
    assert node.id != old_id
    async with database.read() as connection:
        assert [worker.id for worker in await workers.living(connection)] == [node.id]


async def test_claim_whose_answer_was_lost_is_requeued(database: Database, node: WorkerSession) -> None:
    claimed = await claim(database, node)
    await node.beat()
    assert await status_of(database, claimed) is RunStatus.RUNNING, "it may have been claimed a moment ago"
    await node.beat()
    assert await status_of(database, claimed) is RunStatus.QUEUED


async def test_tracked_attempt_is_not_requeued(database: Database, node: WorkerSession) -> None:
    claimed = await claim(database, node)
    node.track(claimed.lease)
    for _ in range(3):
        await node.beat()
    assert await status_of(database, claimed) is RunStatus.RUNNING


async def test_retired_worker_is_deleted(database: Database, node: WorkerSession) -> None:
    await node.retire()
    async with database.read() as connection:
        assert await workers.all_workers(connection) == []


async def test_run_is_requeued_when_its_worker_retires(database: Database, node: WorkerSession) -> None:
    claimed = await claim(database, node)

    await node.retire()

    assert await status_of(database, claimed) is RunStatus.QUEUED
