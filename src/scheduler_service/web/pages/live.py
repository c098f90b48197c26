"""The event stream of a page. It carries signals, and the page then loads its parts again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from scheduler_service.domain.run_state import TERMINAL
from scheduler_service.http.held_stream import EVENT_STREAM, hold
from scheduler_service.web.feed import Interest, Subscription
from scheduler_service.web.queries import whole_of
from scheduler_service.web.routes import Pages
from scheduler_service.web.visit import Visit

pages = Pages()
# Signals of one page are at least this far apart.
SIGNAL_SECONDS = 1.0
LOG_SECONDS = 0.5
# Below the minute after which proxies close silent connections.
HEARTBEAT_SECONDS = 15.0
WORKER_SECONDS = 3.0
_BEHIND_ALL = 2**62


@pages.get("/live")
async def follow(visit: Visit) -> Response:
    """Stream the signals of a page: `changed`, and for a run also `log`."""
    about, _, argument = visit.query.get("about", "").partition(":")
    ids = frozenset(number for part in argument.split(",") if (number := whole_of(part)) is not None)
    bound = visit.caller.bound
    if about == "run":
        interest = Interest(bound, run_id=min(ids, default=0))
    else:
        interest = Interest(bound, job_ids=ids if about in {"job", "jobs"} else None)
    signals = _signals(visit, interest, about)
    visit.request.state.caller = visit.caller
    response = StreamingResponse(signals, media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})
    return hold(visit.request, response)


async def _signals(visit: Visit, interest: Interest, about: str) -> AsyncIterator[bytes]:
    yield b": connected\n\n"
    if visit.request.headers.get("last-event-id"):  # whatever happened in between is not kept for this page
        yield _signal("changed", "")
    with visit.site.feed.subscribed(interest) as subscription:
        log_bytes = await _log_bytes(visit, interest)
        quiet_seconds = 0.0
        while not visit.service.stopping.is_set():
            step = LOG_SECONDS if log_bytes is not None else SIGNAL_SECONDS
            if await _wait(subscription, WORKER_SECONDS if about == "workers" else step) or about == "workers":
                yield _signal("changed", subscription.take())
                await asyncio.sleep(SIGNAL_SECONDS)
                quiet_seconds = 0.0
            if log_bytes is not None:
                grown = await _log_bytes(visit, interest)
                if grown != log_bytes:
                    log_bytes, quiet_seconds = grown, 0.0
                    yield _signal("log", str(grown))
            quiet_seconds += step
            if quiet_seconds >= HEARTBEAT_SECONDS:
                quiet_seconds = 0.0
                yield b": quiet\n\n"


async def _wait(subscription: Subscription, seconds: float) -> bool:
    """Return whether there is news, at once if there is, else after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await subscription.has_news.wait()
    except TimeoutError:
        return False
    return True


async def _log_bytes(visit: Visit, interest: Interest) -> int | None:
    """Return the length of a run's log, or None if the page is about something else, or the run has ended."""
    if interest.run_id is None:
        return None
    part = await visit.service.runs.read_log(visit.caller, interest.run_id, _BEHIND_ALL)
    return None if part.status in TERMINAL else part.log_bytes


def _signal(name: str, position: str) -> bytes:
    return f"event: {name}\nid: {position or 0}\ndata: {{}}\n\n".encode()
