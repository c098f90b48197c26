"""Loops: how they wait, stop and fail."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from testkit.waiting import eventually

from scheduler_service.engine.loop import WakeEvent, start_loop, until_available
from scheduler_service.errors import LoopFailedError, UnavailableError


@pytest.fixture
def terminations() -> Iterator[list[int]]:
    """The signals that would have ended this process."""
    seen: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    yield seen
    signal.signal(signal.SIGTERM, previous)


async def test_wake_event_ends_the_rest_of_a_loop() -> None:
    turns: list[int] = []
    wake_event = WakeEvent()

    async def step() -> float:
        turns.append(1)
        return 3600.0

    async def turned_twice() -> bool:
        wake_event.set()
        return len(turns) >= 2

    async with AsyncExitStack() as stack:
        start_loop(stack, "test", step, wake_event)
        await eventually(turned_twice)


async def test_wake_event_is_kept_until_the_next_wait() -> None:
    wake_event = WakeEvent()
    wake_event.set()
    async with asyncio.timeout(10):
        await wake_event.wait(3600)


async def test_loop_retries_when_the_database_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler_service.engine.loop.UNAVAILABLE_REST_SECONDS", 0.0)
    answers = iter([UnavailableError("down"), UnavailableError("down"), None])
    recovered = asyncio.Event()

    async def step() -> float:
        answer = next(answers)
        if answer is not None:
            raise answer
        recovered.set()
        return 3600.0

    async with AsyncExitStack() as stack, asyncio.timeout(10):
        start_loop(stack, "test", step)
        await recovered.wait()


async def test_failed_loop_terminates_the_process_and_reraises(terminations: list[int]) -> None:
    async def step() -> float:
        raise RuntimeError("not foreseen")

    async def terminated() -> bool:
        return terminations == [signal.SIGTERM]

    async def run() -> None:
        async with AsyncExitStack() as stack:
            start_loop(stack, "test", step)
            await eventually(terminated)

    with pytest.raises(LoopFailedError, match="'test' failed"):
        await run()


async def test_stopped_loop_finishes_its_step() -> None:
    """The step may be in a transaction, and hold locks that others wait for."""
    begun, proceed = asyncio.Event(), asyncio.Event()
    ended: list[bool] = []

    async def step() -> float:
        begun.set()
        await proceed.wait()
        ended.append(True)
        return 3600.0

    async with AsyncExitStack() as stack:
        start_loop(stack, "test", step)
        await begun.wait()
        asyncio.get_running_loop().call_later(0.05, proceed.set)
    assert ended == [True]


async def test_endless_step_is_cancelled_when_the_loop_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler_service.engine.loop.LAST_STEP_SECONDS", 0.01)

    async def step() -> float:
        await asyncio.Event().wait()
        return 0.0

    async with asyncio.timeout(10), AsyncExitStack() as stack:
        start_loop(stack, "test", step)


async def test_stopped_loop_does_not_terminate_the_process(terminations: list[int]) -> None:
    async def step() -> float:
        return 3600.0

    async with AsyncExitStack() as stack:
        start_loop(stack, "test", step)
    assert terminations == []


async def test_write_is_repeated_until_it_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler_service.engine.loop.UNAVAILABLE_REST_SECONDS", 0.0)
    answers = iter([UnavailableError("down"), None])

    async def write() -> str:
        if (error := next(answers)) is not None:
            raise error
        return "written"

    assert await until_available(write) == "written"
