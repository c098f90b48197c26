"""One reader of events for all open pages."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterable, MutableMapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy import event as event_of
from testkit.waiting import DEADLINE_SECONDS, eventually
from tests.web.conftest import SHARED, Browser, create_job, run_to_the_end

from scheduler_service.domain.events import Event, Position, Subject
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.web.feed import CHANGED, GAP, Feed, Interest, LogFeed
from scheduler_service.web.views.run import ShownState

pytestmark = SHARED


def event(job_id: int, *, owner_id: str = "a", run_id: int | None = None, change: str = "changed") -> Event:
    subject: Subject = "job" if run_id is None else "run"
    return Event(
        position=Position(0, 1),
        at=datetime(2026, 1, 1, tzinfo=UTC),
        subject=subject,
        change=change,
        job_id=job_id,
        job_name="a job",
        owner_id=owner_id,
        run_id=run_id,
        attempt=None,
        reason=None,
        payload_type=None,
        duration_seconds=None,
        lateness_seconds=None,
        missed_count=None,
        correlation_id=None,
    )


async def test_page_of_a_job_is_told_of_its_events_only() -> None:
    interest = Interest(job_ids=frozenset({7}))
    assert interest.includes(event(7, run_id=3))
    assert not interest.includes(event(8))


async def test_list_of_jobs_is_told_of_a_new_job() -> None:
    assert Interest(job_ids=frozenset({7})).includes(event(8, change="created"))


async def test_page_of_a_run_is_told_of_its_events_only() -> None:
    assert Interest(run_id=3).includes(event(7, run_id=3))
    assert not Interest(run_id=3).includes(event(7, run_id=4))


async def test_nobody_is_told_of_events_of_other_owners() -> None:
    assert not Interest("b").includes(event(7, owner_id="a"))


async def test_many_pages_share_a_reader_and_hear_of_a_change(app: FastAPI, browser: Browser) -> None:
    service = app.state.service
    feed = Feed(service.events, service.stopping)
    job = await create_job(browser)
    interest = Interest(job_ids=frozenset({job["id"]}))
    before = asyncio.all_tasks()
    with feed.subscribed(interest) as first, feed.subscribed(interest) as second:
        assert len(asyncio.all_tasks() - before) == 1
        while not (first.has_news.is_set() and second.has_news.is_set()):
            await browser.call("POST", f"/jobs/{job['id']}/pause")
            await browser.call("POST", f"/jobs/{job['id']}/resume")
            with suppress(TimeoutError):
                await asyncio.wait_for(first.has_news.wait(), 1)
        name, position = first.take()
        assert name in {CHANGED, GAP}
        assert position != ""
        assert not first.has_news.is_set()


async def first_signals(app: FastAPI, browser: Browser, path: str, count: int) -> list[bytes]:
    """Return the first parts of a stream, and leave it. The client of the other tests waits for the end of answers."""
    request = browser.client.build_request("GET", path)
    is_enough, parts = asyncio.Event(), list[bytes]()

    async def receive() -> dict[str, Any]:
        await is_enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        parts.extend([message["body"]] if message.get("body") else [])
        if len(parts) >= count:
            is_enough.set()

    url, headers = request.url, [(name.lower(), value) for name, value in request.headers.raw]
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "headers": headers,
        "path": url.path, "raw_path": url.raw_path, "query_string": url.query, "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("localhost", 80),
    }  # fmt: skip
    async with asyncio.timeout(10):
        await app(scope, receive, send)
    return parts[:count]


async def test_run_that_has_ended_before_the_stream_began_is_signalled(app: FastAPI, browser: Browser) -> None:
    run_id = await run_to_the_end(browser, (await create_job(browser))["id"])
    connected, changed = await first_signals(app, browser, f"/ui/live?about=run:{run_id}&seen=queued.0", 2)
    assert (connected, changed.splitlines()[0]) == (b": connected\n\n", b"event: changed")


async def test_run_that_ends_while_its_stream_begins_is_signalled(
    app: FastAPI, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends after its state was read, and before anybody reads the events."""
    job = await create_job(browser, payload={"type": "shell_script", "script": "sleep 60"})
    run_id = (await browser.call("POST", f"/jobs/{job['id']}/run"))["id"]

    async def has_status(status: str) -> bool:
        return bool((await browser.call("GET", f"/runs/{run_id}"))["status"] == status)

    await eventually(lambda: has_status("running"))
    events = app.state.service.events
    start = events.start

    async def end_then_start(*arguments: Any) -> Any:
        await browser.call("POST", f"/runs/{run_id}/cancel")
        await eventually(lambda: has_status("cancelled"))
        return await start(*arguments)

    monkeypatch.setattr(type(events), "start", lambda _self, *arguments: end_then_start(*arguments))
    seen = ShownState(RunStatus.RUNNING, 0).name
    parts = await first_signals(app, browser, f"/ui/live?about=run:{run_id}&seen={seen}", 2)
    assert [part.splitlines()[0] for part in parts] == [b": connected", b"event: stream.gap"]


async def test_stream_of_an_unknown_run_is_not_found(browser: Browser) -> None:
    assert (await browser.open("/ui/live?about=run:999999")).status_code == 404


async def test_page_is_told_what_happened_before_it_connected(app: FastAPI, browser: Browser) -> None:
    service = app.state.service
    feed = Feed(service.events, service.stopping)
    job = await create_job(browser)
    interest = Interest(job_ids=frozenset({job["id"]}))
    made_at = time.time()
    with feed.subscribed(interest, made_at) as first:
        await asyncio.wait_for(first.has_news.wait(), 10)  # nobody has read events before
        assert first.take()[0] == GAP
        await browser.call("POST", f"/jobs/{job['id']}/pause")
        await asyncio.wait_for(first.has_news.wait(), 10)
        assert first.take()[0] == CHANGED
        with feed.subscribed(interest, made_at + 10) as second, feed.subscribed(Interest(run_id=1), time.time() + 10):
            assert not second.has_news.is_set()
        with feed.subscribed(interest, made_at) as third:
            assert third.has_news.is_set()


async def test_page_whose_events_are_forgotten_hears_of_the_gap(app: FastAPI, browser: Browser) -> None:
    connected, signal = await first_signals(app, browser, "/ui/live?about=home&since=0", 2)
    assert (connected, signal.splitlines()[0]) == (b": connected\n\n", b"event: stream.gap")


def names(tasks: Iterable[asyncio.Task[object]]) -> Counter[str]:
    return Counter(task.get_name() for task in tasks)


async def test_fifty_open_pages_ask_the_database_no_more_than_one(app: FastAPI, browser: Browser) -> None:
    service, stopping = app.state.service, app.state.service.stopping
    feed, logs = Feed(service.events, stopping), LogFeed(service.logs, stopping)
    payload = {"type": "shell_script", "script": "sleep 60"}
    job = await create_job(browser, payload=payload, overlap_policy="allow", max_concurrency=2)
    runs = [(await browser.call("POST", f"/jobs/{job['id']}/run"))["id"] for _ in range(2)]
    asked: list[asyncio.Task[object]] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        task = asyncio.current_task()
        if task is not None and task not in before and ("FROM events" in statement or "runs.log_bytes" in statement):
            asked.append(task)

    lengths = []
    before = asyncio.all_tasks()  # the loops of the service itself
    with ExitStack() as pages:
        for number in range(50):
            pages.enter_context(feed.subscribed(Interest(), math.inf))
            lengths.append(pages.enter_context(logs.following(runs[number % 2], -1)))
        event_of.listen(Engine, "before_cursor_execute", note)
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while min(names(asked)["log_feed"], names(asked)["event_feed"]) < 2:
                    await asyncio.sleep(0)
        finally:
            event_of.remove(Engine, "before_cursor_execute", note)

    assert names(set(asked)) == {"log_feed": 1, "event_feed": 1, "page_feed": 1}, "only the three readers ask"
    assert -1 not in {length() for length in lengths}
