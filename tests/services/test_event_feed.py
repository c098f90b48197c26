"""Many followers share one reader of the events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from testkit.callers import ADMIN, ANN
from testkit.databases import add_job

from scheduler_service.domain.events import Event, Position
from scheduler_service.errors import UnavailableError
from scheduler_service.services import event_feed
from scheduler_service.services.event_feed import EventFeed
from scheduler_service.services.events import EventFilter, EventService
from scheduler_service.storage import events
from scheduler_service.storage.database import Database

START = Position(0, 0)
FOLLOWERS = 50


async def next_events(batches: AsyncIterator[Sequence[Event]], count: int) -> list[Event]:
    found: list[Event] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += await anext(batches)
    return found


async def test_fifty_followers_share_one_reader(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    read_events = events.after

    async def count(*arguments: Any, **options: Any) -> list[Event]:
        nonlocal reads
        reads += 1
        return await read_events(*arguments, **options)

    service, stopping = EventService(database), asyncio.Event()
    followers = [service.follow(ADMIN, START, stopping) for _ in range(FOLLOWERS)]
    for follower in followers:
        await anext(follower)  # each reads once what it missed
    monkeypatch.setattr(events, "after", count)
    jobs = [await add_job(database) for _ in range(3)]

    found = await asyncio.gather(*(next_events(follower, len(jobs)) for follower in followers))

    assert all([each.job_id for each in of_one] == [job.id for job in jobs] for of_one in found)
    assert reads < FOLLOWERS
    stopping.set()
    for follower in followers:
        await follower.aclose()


async def test_follower_gets_what_it_missed_before_what_is_new(database: Database) -> None:
    missed = await add_job(database)
    async with aclosing(EventService(database).follow(ADMIN, START, asyncio.Event())) as follower:
        first = await anext(follower)
        new = await add_job(database)
        (second,) = await next_events(follower, 1)

    assert ([each.job_id for each in first], second.job_id) == ([missed.id], new.id)


async def test_follower_gets_only_events_of_its_owner(database: Database) -> None:
    async with aclosing(EventService(database).follow(ANN, START, asyncio.Event())) as follower:
        await anext(follower)
        await add_job(database, owner_id="bob")
        mine = await add_job(database, owner_id="ann")

        assert [each.job_id for each in await next_events(follower, 1)] == [mine.id]


async def test_follower_gets_only_events_of_its_filter(database: Database) -> None:
    job = await add_job(database)
    wanted = EventFilter(job_id=job.id + 2)
    async with aclosing(EventService(database).follow(ADMIN, START, asyncio.Event(), wanted)) as follower:
        assert await anext(follower) == []
        await add_job(database)
        await add_job(database)

        assert [each.job_id for each in await next_events(follower, 1)] == [job.id + 2]


async def test_slow_follower_is_dropped(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_feed, "MAX_BUFFERED", 2)
    stopping = asyncio.Event()
    feed = EventFeed(database)
    slow = await feed.join(stopping)
    for _ in range(4):
        await add_job(database)
    async with asyncio.timeout(20):
        while not slow.is_over:
            await asyncio.sleep(0)

    assert await slow.take() == ()
    feed.leave(slow)


async def test_followers_end_when_the_process_stops(database: Database) -> None:
    stopping = asyncio.Event()
    follower = EventService(database).follow(ADMIN, START, stopping)
    await anext(follower)
    stopping.set()

    assert [batch async for batch in follower if batch] == []


async def test_followers_fail_when_the_reader_fails(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> list[Event]:
        raise UnavailableError("gone")

    async with aclosing(EventService(database).follow(ADMIN, START, asyncio.Event())) as follower:
        await anext(follower)
        monkeypatch.setattr(events, "after", fail)
        with pytest.raises(UnavailableError):
            await next_events(follower, 1)
