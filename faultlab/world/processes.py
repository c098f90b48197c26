"""The processes of a world beside its workers: dispatchers, followers, rescuers and clients."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import timedelta

from testkit.callers import ADMIN
from testkit.doubles import FakeClock, Stopwatch

from faultlab.world.database import WorldDatabase
from faultlab.world.definitions import CALENDAR, calendar, definition, edit, happens
from faultlab.world.workers import DEAD_SECONDS
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.run_notice import RunNotice
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.engine.rescue import Rescuer
from scheduler_service.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
)
from scheduler_service.features.calendars.definition import CalendarRequest
from scheduler_service.features.calendars.service import CalendarService
from scheduler_service.features.chains.follower import ChainFollower
from scheduler_service.services.backfill_request import BackfillRequest
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.services.pause_request import PauseRequest
from scheduler_service.services.run_request import RunRequest
from scheduler_service.services.runs import RunService

MAX_JOBS = 6
# How often each request is sent.
_REQUESTS = {
    "create": 20,
    "patch": 25,
    "pause": 10,
    "resume": 15,
    "delete": 5,
    "run": 10,
    "backfill": 5,
    "store_calendar": 3,
    "move_run": 7,
}


class LossyBroker:
    """Keeps the ids of the runs that were announced, and delivers none: workers look for themselves."""

    def __init__(self) -> None:
        self.announced: set[int] = set()

    async def send(self, notices: Sequence[RunNotice]) -> None:
        """Note the notices."""
        self.announced |= {notice.run_id for notice in notices}

    async def close(self) -> None:
        """Do nothing: no connection is held."""


class DispatcherProcess:
    """A dispatcher with the loops that live in its process."""

    def __init__(self, database: WorldDatabase, broker: LossyBroker, clock: FakeClock, stopwatch: Stopwatch) -> None:
        self._dispatcher = Dispatcher(database, broker, clock, tick_seconds=1)
        self._rescuer = Rescuer(database, clock, worker_dead_seconds=DEAD_SECONDS, monotonic=stopwatch)
        self._follower = ChainFollower(database, clock)

    async def tick(self) -> None:
        """Fire what is due."""
        await _if_available(self._dispatcher.tick())

    async def rescue(self) -> None:
        """Rescue the runs of dead workers."""
        await _if_available(self._rescuer.check_workers())

    async def follow(self) -> None:
        """Queue runs after the ends of others."""
        await _if_available(self._follower.follow())


class Client:
    """Sends requests about jobs and runs that exist, or existed."""

    def __init__(self, database: WorldDatabase, broker: LossyBroker, clock: FakeClock, chooser: random.Random) -> None:
        self._jobs = JobService(database, broker, clock, lambda: None)
        self._runs = RunService(database, broker, clock)
        self._calendars = CalendarService(database, clock)
        self._clock = clock
        self._chooser = chooser

    async def create(self, job_ids: Sequence[int]) -> None:
        """Create a job, perhaps after some of those that exist."""
        document = definition(self._chooser, self._clock.now(), job_ids)
        await _unless_refused(self._jobs.create(ADMIN, JobDefinition.model_validate(document)))

    async def store_calendar(self) -> None:
        """Store other days of the calendar that jobs use."""
        request = CalendarRequest.model_validate(calendar(self._chooser, self._clock.now()))
        await _unless_refused(self._calendars.put(ADMIN, "", CALENDAR, request.definition()))

    async def ask(self, job_ids: Sequence[int], run_ids: Sequence[int]) -> None:
        """Send a random request."""
        (kind,) = self._chooser.choices(list(_REQUESTS), list(_REQUESTS.values()))
        if not job_ids or (kind == "create" and len(job_ids) < MAX_JOBS):
            await self.create(job_ids)
        elif kind == "store_calendar":
            await self.store_calendar()
        elif kind == "move_run" and run_ids:
            await self._move_run(self._chooser.choice(run_ids))
        else:
            await _unless_refused(self._about(kind, self._chooser.choice(job_ids)))

    def _about(self, kind: str, job_id: int) -> Awaitable[object]:
        """Return a request about a job."""
        chooser = self._chooser
        match kind:
            case "pause":
                until = chooser.choice((None, chooser.randint(10, 1200)))
                request = {"until": None if until is None else self._in_seconds(until)}
                return self._jobs.pause(ADMIN, job_id, request=PauseRequest.model_validate(request))
            case "resume":
                return self._jobs.resume(ADMIN, job_id)
            case "delete":
                return self._jobs.delete(ADMIN, job_id)
            case "run":
                return self._jobs.run(ADMIN, job_id, RunRequest(ignore_overlap=happens(chooser, 0.5)))
            case "backfill":
                window = {"from": self._in_seconds(-1800), "to": self._in_seconds(-1), "only": "all", "max_runs": 3}
                return self._jobs.backfill(ADMIN, job_id, BackfillRequest.model_validate(window))
            case _:
                return self._jobs.patch(ADMIN, job_id, edit(chooser, self._clock.now()))

    async def _move_run(self, run_id: int) -> None:
        asked = self._chooser.choice((self._runs.cancel, self._runs.retry))
        await _unless_refused(asked(ADMIN, run_id))

    def _in_seconds(self, seconds: float) -> str:
        return iso8601(self._clock.now() + timedelta(seconds=seconds))


async def _if_available(step: Awaitable[object]) -> None:
    """Await a step, which its loop repeats if the database does not answer."""
    with suppress(UnavailableError):
        await step


async def _unless_refused(request: Awaitable[object]) -> None:
    with suppress(ConflictError, InvalidInputError, NotFoundError, PreconditionFailedError, UnavailableError):
        await request
