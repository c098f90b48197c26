"""The event stream of a page. It carries signals, and the page then loads its parts again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.domain.run_state import TERMINAL
from scheduler_service.errors import NotFoundError, UnavailableError
from scheduler_service.http.held_stream import HEARTBEAT_SECONDS, event_stream, hold
from scheduler_service.web.feed import CHANGED, LOG_SECONDS, Interest, Subscription
from scheduler_service.web.queries import whole_of
from scheduler_service.web.routes import Pages
from scheduler_service.web.views.run import ShownState
from scheduler_service.web.visit import Visit

pages = Pages()
# Signals of one page are at least this far apart. A change right behind a signal waits so long, and is still seen
# within a second: the rest is for the page, which loads its parts.
SIGNAL_SECONDS = 0.8
WORKER_SECONDS = 3.0
_BEHIND_ALL = 2**62


@pages.get("/live")
async def follow(visit: Visit) -> Response:
    """Stream the signals of a page: `changed`, `stream.gap` if changes may be unknown, and for a run also `log`.

    `seen` names the state in which the page has shown a run: what changed before the stream began is signalled first.
    """
    visit.caller.require(Scope.READ)
    about, _, argument = visit.query.get("about", "").partition(":")
    ids = frozenset(number for part in argument.split(",") if (number := whole_of(part)) is not None)
    bound = visit.caller.bound
    if about == "run":
        interest = Interest(bound, run_id=min(ids, default=0))
    else:
        interest = Interest(bound, job_ids=ids if about in {"job", "jobs"} else None)
    await _state_of_run(visit, interest)
    visit.request.state.caller = visit.caller
    return hold(visit.request, event_stream(_signals(visit, interest, about)))


def _since(visit: Visit) -> float:
    """Return when the page was made, as a Unix time, or 0 if it does not say so."""
    try:
        return float(visit.query.get("since", 0))
    except ValueError:
        return 0.0


async def _signals(visit: Visit, interest: Interest, about: str) -> AsyncIterator[bytes]:
    yield b": connected\n\n"
    with suppress(NotFoundError, UnavailableError):  # the page connects again, and is told then
        async for signal in _following(visit, interest, about):
            yield signal


async def _following(visit: Visit, interest: Interest, about: str) -> AsyncIterator[bytes]:
    # The page of a run says which state it shows. It is compared after the subscription has begun: an end between both
    # would be told by neither.
    since = time.time() if interest.run_id is not None else _since(visit)
    with visit.site.feed.subscribed(interest, since) as subscription, ExitStack() as stack:
        state = await _state_of_run(visit, interest)
        if state is not None and state.name != visit.query.get("seen"):
            yield _signal(CHANGED, "")
        log_bytes = None if state is None or state.status in TERMINAL else state.log_bytes
        if log_bytes is not None and interest.run_id is not None:
            length = stack.enter_context(visit.site.logs.following(interest.run_id, log_bytes))
        quiet_seconds = 0.0
        while not visit.service.stopping.is_set():
            step = LOG_SECONDS if log_bytes is not None else SIGNAL_SECONDS
            if await _wait(subscription, WORKER_SECONDS if about == "workers" else step) or about == "workers":
                yield _signal(*subscription.take())
                await asyncio.sleep(SIGNAL_SECONDS)
                quiet_seconds = 0.0
            if log_bytes is not None:
                grown = length()
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


async def _state_of_run(visit: Visit, interest: Interest) -> ShownState | None:
    """Return the state of a run, or None if the page is about something else. Raise `NotFoundError` without the run."""
    if interest.run_id is None:
        return None
    part = await visit.service.runs.read_log(visit.caller, interest.run_id, _BEHIND_ALL)
    return ShownState(part.status, part.log_bytes)


def _signal(name: str, position: str) -> bytes:
    return f"event: {name}\nid: {position or 0}\ndata: {{}}\n\n".encode()
