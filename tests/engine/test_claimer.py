"""Claims of a worker whose answers are lost."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.claiming import claim_new
from testkit.doubles import FakeClock

from scheduler_service.domain.routing import EVERYTHING
from scheduler_service.engine.claimer import Claimer
from scheduler_service.engine.worker_session import WorkerOptions, WorkerSession
from scheduler_service.errors import UnavailableError
from scheduler_service.storage import claims
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.database import Database


@pytest.fixture
async def session(database: Database, clock: FakeClock) -> WorkerSession:
    session = WorkerSession(database, clock, WorkerOptions(slots=2, heartbeat_seconds=1, worker_dead_seconds=10))
    await session.register()
    return session


@pytest.fixture
async def claimed(database: Database, session: WorkerSession) -> Claimed:
    """Claim a run in the session's name."""
    return await claim_new(database, session.id)


@pytest.fixture
def claimer(
    database: Database, clock: FakeClock, session: WorkerSession, claimed: Claimed, monkeypatch: pytest.MonkeyPatch
) -> Claimer:
    """Return a claimer that has claimed a run, and loses the answers to its claims."""

    async def lose_answer(*_arguments: Any, **_options: Any) -> list[Claimed]:
        raise UnavailableError("the connection was closed")

    monkeypatch.setattr(claims, "claim", lose_answer)
    return Claimer(database, clock, session, EVERYTHING)


async def test_run_of_a_lost_answer_is_found(claimer: Claimer, claimed: Claimed) -> None:
    assert [found.lease for found, _ in await claimer.claim(1)] == [claimed.lease]


async def test_attempt_in_progress_is_no_lost_answer(
    claimer: Claimer, claimed: Claimed, session: WorkerSession
) -> None:
    session.track(claimed.lease)
    assert await claimer.claim(1) == []


async def test_attempt_that_ends_during_the_look_is_not_repeated(
    claimer: Claimer, claimed: Claimed, session: WorkerSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = session.track(claimed.lease)
    find_claimed = claims.find_claimed

    async def find_then_end(*arguments: Any) -> list[Claimed]:
        found = await find_claimed(*arguments)
        session.untrack(handle)
        return found

    monkeypatch.setattr(claims, "find_claimed", find_then_end)
    assert await claimer.claim(1) == []
