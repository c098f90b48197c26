"""A world: its processes, the choice of each step, and the rest at its end."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

from testkit.databases import NOON
from testkit.doubles import FakeClock, Stopwatch

from faultlab.world.database import WorldDatabase
from faultlab.world.owed import micros
from faultlab.world.processes import Client, DispatcherProcess, LossyBroker
from faultlab.world.turns import Actor
from faultlab.world.watch import Watch
from faultlab.world.workers import SimulatedWorker
from scheduler_service.engine import loop

STEPS = 200
FIRST_JOBS = 3
WORKERS = 2
FAULT_SHARE = 0.02
REST_ROUNDS = 4
# How often each thing happens. A call begins, or goes on by one transaction.
_MOVES = {"go_on": 65, "call": 17, "time": 14, "outage": 1, "clock": 1, "death": 1, "stop": 1}

Work = Callable[[], Awaitable[None]]


class World:
    """One simulated world. `run` leaves its database at rest."""

    def __init__(self, database: WorldDatabase, path: Path, seed: int) -> None:
        """Prepare a world in an empty, migrated database."""
        self.chooser = random.Random(seed)  # noqa: S311 (reproducible)
        self.database = database
        self.clock = FakeClock(NOON)
        self.stopwatch = Stopwatch()
        self.broker = LossyBroker()
        self.watch = Watch(path)
        self.dispatchers = [DispatcherProcess(database, self.broker, self.clock, self.stopwatch) for _ in range(2)]
        self.clients = [Client(database, self.broker, self.clock, self.chooser) for _ in range(2)]
        self.workers: list[SimulatedWorker] = []
        self._actors: dict[str, Actor] = {}
        self._latest = NOON
        self.was_set_back = False
        self.all_workers: list[SimulatedWorker] = []

    async def run(self) -> None:
        """Run every step of the world, and bring it to rest."""
        random.seed(self.chooser.random())  # the jitter of retries
        with patch.object(loop, "UNAVAILABLE_REST_SECONDS", 0):
            await self._begin()
            self.database.faults.chooser, self.database.faults.share = self.chooser, FAULT_SHARE
            for _ in range(STEPS):
                await self._move()
                self._look()
            self.database.faults.chooser = None
            await self._rest()

    async def _begin(self) -> None:
        await self.clients[0].store_calendar()
        for _ in range(FIRST_JOBS):
            await self.clients[0].create(self._job_ids())
            self._look()
        for _ in range(WORKERS):
            await self._add_worker()

    async def _move(self) -> None:
        """Choose one thing and do it: a step of an actor, or something that happens to the world."""
        (kind,) = self.chooser.choices(list(_MOVES), list(_MOVES.values()))
        match kind:
            case "time":
                self._advance(self.chooser.choice((1, 5, 10, 30, 60, 120)))
            case "outage":
                self._advance(self.chooser.choice((1800, 7200, 90_000)))
            case "clock":
                await self._set_clock()
            case "death":
                await self._kill_worker()
            case "stop":
                await self._stop_worker()
            case "call":
                await self._begin_call()
            case _:
                await self._go_on()

    async def _go_on(self) -> None:
        if self._actors:
            await self._step(self.chooser.choice(list(self._actors)))
        else:
            await self._begin_call()

    async def _begin_call(self) -> None:
        """Begin the next call of a loop or a client that waits."""
        idle = [each for each in self._works() if each[0] not in self._actors]
        if idle:
            name, work = self.chooser.choice(idle)
            self._actors[name] = Actor(work())
            await self._step(name)

    def _works(self) -> list[tuple[str, Work]]:
        works: list[tuple[str, Work]] = []
        for number, dispatcher in enumerate(self.dispatchers):
            works += [(f"tick {number}", dispatcher.tick)] * 2
            works += [(f"rescue {number}", dispatcher.rescue), (f"follow {number}", dispatcher.follow)]
        for number, client in enumerate(self.clients if self.clock.at >= self._latest else ()):
            works += [(f"client {number}", partial(self._ask, client))] * 2
        for worker in self.workers:
            works += self._works_of(worker)
        return works

    async def _ask(self, client: Client) -> None:
        await client.ask(self._job_ids(), self._run_ids())

    def _works_of(self, worker: SimulatedWorker) -> list[tuple[str, Work]]:
        key = f"worker {worker.number}"
        return [
            (f"claim of {key}", worker.claim),
            (f"claim of {key}", worker.claim),
            (f"beat of {key}", worker.beat),
            (f"end of {key}", lambda: worker.end_one(self.chooser)),
            (f"end of {key}", lambda: worker.end_one(self.chooser)),
        ]

    async def _step(self, name: str) -> None:
        actor = self._actors[name]
        await actor.step()
        if actor.is_done:
            del self._actors[name]

    async def _set_clock(self) -> None:
        """Set the clock forward or back, which no stopwatch notices.

        Nobody edits a job while the clock stands before instants that have rows already: the schedules before and after
        the edit would owe instants of the same time.
        """
        for number in range(len(self.clients)):
            await self._finish(f"client {number}")
        seconds = self.chooser.choice((-240, -30, -1, 30, 600))
        self.was_set_back |= seconds < 0
        self._latest = max(self._latest, self.clock.advance(seconds))

    async def _kill_worker(self) -> None:
        """Kill a worker, and begin another one."""
        worker = self.chooser.choice(self.workers)
        for name in self._actors_of(worker):
            await self._actors.pop(name).kill()
        await self._replace(worker)

    async def _stop_worker(self) -> None:
        """Stop a worker in order, and begin another one."""
        worker = self.chooser.choice(self.workers)
        for name in self._actors_of(worker):
            await self._finish(name)
        with self._without_faults():
            await worker.stop(self.chooser)
        self._look()
        await self._replace(worker)

    async def _replace(self, worker: SimulatedWorker) -> None:
        self.workers.remove(worker)
        with self._without_faults():
            await self._add_worker()

    async def _add_worker(self) -> None:
        worker = SimulatedWorker(len(self.all_workers), self.database, self.clock, self.stopwatch)
        await worker.begin()
        self.workers.append(worker)
        self.all_workers.append(worker)

    def _actors_of(self, worker: SimulatedWorker) -> list[str]:
        return [name for name in self._actors if name.endswith(f" of worker {worker.number}")]

    async def _finish(self, name: str) -> None:
        while name in self._actors:
            await self._step(name)
            self._look()

    @contextmanager
    def _without_faults(self) -> Iterator[None]:
        share, self.database.faults.share = self.database.faults.share, 0.0
        yield
        self.database.faults.share = share

    async def _rest(self) -> None:
        """Finish every call, then do all that is left to do at this instant."""
        for name in list(self._actors):
            await self._finish(name)
        for _ in range(REST_ROUNDS):
            for name, work in self._works_at_rest():
                self._actors[name] = Actor(work())
                await self._finish(name)

    def _works_at_rest(self) -> list[tuple[str, Work]]:
        works = [each for each in self._works() if not each[0].startswith("client")]
        return [*works, ("tick", self.dispatchers[0].tick), ("follow", self.dispatchers[0].follow)]

    def _advance(self, seconds: float) -> None:
        self._latest = max(self._latest, self.clock.advance(seconds))
        self.stopwatch.seconds += seconds

    def _look(self) -> None:
        """Note what the last step did, and whether the code of a run executes twice at the same time."""
        self.watch.look(micros(self.clock.now()))
        executing = [run_id for worker in self.workers for run_id in worker.executing()]
        for run_id in {each for each in executing if executing.count(each) > 1}:
            self.watch.violations.append(f"two attempts of run {run_id} execute at the same time")

    def _job_ids(self) -> list[int]:
        return [job_id for job_id, seen in self.watch.history.items() if seen[-1].state.deleted_at is None]

    def _run_ids(self) -> list[int]:
        return [row[0] for row in self.watch.rows("SELECT id FROM runs ORDER BY id DESC LIMIT 20")]
