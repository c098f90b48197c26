"""One reader of the event stream, and one of the lengths of growing logs, for all pages of a process.

Theory of operation. Each open page has a `Subscription`, which collects the events that concern the page. One task
reads the events and gives them to all subscriptions, so that any number of pages costs the database one query a look.
The task runs while there is a subscription.

A page is made before it connects, and it connects again after failures. It says when it was made. If an event concerns
it that was read later, the page is told at once. If the task began later, or has forgotten events of that time, there
is a gap: the page is told that too, and loads all its parts again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.events import Event
from scheduler_service.errors import UnavailableError
from scheduler_service.services.events import EventService
from scheduler_service.services.run_logs import RunLogService

_EVERYONE = Caller(owner_id=None, scopes=frozenset({Scope.READ}))
CHANGED = "changed"
GAP = "stream.gap"
RETRY_SECONDS = 1.0
LOG_SECONDS = 0.5
KEPT_EVENTS = 1000
# The clocks of two hosts may differ by so much.
_SKEW_SECONDS = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Interest:
    """Which events concern a page. None: all. `owner_id` bounds what the caller may know of."""

    owner_id: str | None = None
    job_ids: frozenset[int] | None = None
    run_id: int | None = None

    def includes(self, event: Event) -> bool:
        """Return whether an event concerns the page. A new job concerns every list of jobs."""
        if self.owner_id is not None and event.owner_id != self.owner_id:
            return False
        if self.run_id is not None:
            return event.run_id == self.run_id
        return self.job_ids is None or event.job_id in self.job_ids or event.change == "created"


@dataclass(slots=True, eq=False)
class Subscription:
    """The events that concern a page since it last looked."""

    interest: Interest
    # When the page was made, a Unix time.
    since: float = math.inf
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    position: str = ""
    has_gap: bool = False

    def note(self, event: Event) -> None:
        """Remember that an event has happened if it concerns the page."""
        if self.interest.includes(event):
            self.position = str(event.position)
            self.has_news.set()

    def note_gap(self) -> None:
        """Remember that nobody knows whether an event concerned the page."""
        self.has_gap = True
        self.has_news.set()

    def take(self) -> tuple[str, str]:
        """Forget the news. Return the name of their signal, and the position of the latest event."""
        name = GAP if self.has_gap else CHANGED
        self.has_gap = False
        self.has_news.clear()
        return name, self.position


class LogFeed:
    """Reads the lengths of the logs that open pages follow: one query for all pages, while there are any."""

    def __init__(self, logs: RunLogService, stopping: asyncio.Event) -> None:
        self._logs = logs
        self._stopping = stopping
        self._followed: Counter[int] = Counter()
        self._lengths: dict[int, int | None] = {}
        self._reader: asyncio.Task[None] | None = None

    @contextmanager
    def following(self, run_id: int, length: int) -> Iterator[Callable[[], int | None]]:
        """Provide a function that returns the length of a log, or None once the run has ended."""
        self._followed[run_id] += 1
        self._lengths.setdefault(run_id, length)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read(), name="log_feed")
        try:
            yield lambda: self._lengths.get(run_id)
        finally:
            self._followed[run_id] -= 1
            if not self._followed[run_id]:
                del self._followed[run_id]
                self._lengths.pop(run_id, None)
            if not self._followed:
                self._reader.cancel()
                self._reader = None

    async def _read(self) -> None:
        while not self._stopping.is_set():
            active = [run_id for run_id in self._followed if self._lengths.get(run_id) is not None]
            if active:
                with suppress(UnavailableError):
                    found = await self._logs.lengths(active)
                    self._lengths |= {run_id: found.get(run_id) for run_id in active if run_id in self._followed}
            await asyncio.sleep(LOG_SECONDS)


class Feed:
    """Reads events while there are subscriptions."""

    def __init__(self, events: EventService, stopping: asyncio.Event) -> None:
        self._events = events
        self._stopping = stopping
        self._subscriptions: set[Subscription] = set()
        self._reader: asyncio.Task[None] | None = None
        # When each of the latest events was read, and from when on all events are among them.
        self._kept: deque[tuple[float, Event]] = deque(maxlen=KEPT_EVENTS)
        self._complete_since = math.inf

    @contextmanager
    def subscribed(self, interest: Interest, since: float = math.inf) -> Iterator[Subscription]:
        """Provide a subscription while a page is open that was made at `since`, a Unix time."""
        subscription = Subscription(interest, since - _SKEW_SECONDS)
        self._subscriptions.add(subscription)
        if self._reader is None or self._reader.done():
            self._complete_since = math.inf
            self._reader = asyncio.create_task(self._read(), name="page_feed")
        else:
            self._tell_what_was_read(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            if not self._subscriptions:
                self._reader.cancel()
                self._reader = None

    async def _read(self) -> None:
        while not self._stopping.is_set():
            try:
                position = await self._events.start(_EVERYONE, None)
                self._begin()
                async for batch in self._events.follow(_EVERYONE, position, self._stopping):
                    for event in batch:
                        self._note(event)
            except UnavailableError as error:
                log.warning("event_feed_interrupted", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    def _begin(self) -> None:
        """Reload the pages that were made before now, because nobody has read what happened since."""
        self._kept.clear()
        self._complete_since = time.time()
        for subscription in self._subscriptions:
            self._tell_what_was_read(subscription)

    def _note(self, event: Event) -> None:
        if len(self._kept) == KEPT_EVENTS:
            self._complete_since = self._kept[0][0]
        self._kept.append((time.time(), event))
        for subscription in self._subscriptions:
            subscription.note(event)

    def _tell_what_was_read(self, subscription: Subscription) -> None:
        """Pass on to a page what was read after it was made, or that nobody knows."""
        if subscription.since < self._complete_since:
            subscription.note_gap()
            return
        for read_at, event in self._kept:
            if read_at > subscription.since:
                subscription.note(event)
