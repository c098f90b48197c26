"""The legs that execute thousands of runs under kills, and then compare every counter with the database."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
from sqlalchemy import text
from testkit import servers
from testkit.cluster import Cluster, Member, cluster_on
from testkit.commands import up
from testkit.databases import add_job, migrate
from testkit.observer import Observer, start_api
from testkit.programs import execute

from faultlab import checker
from faultlab.checker import Key
from faultlab.promise import Promise
from scheduler_service.cli.devstack_servers import ask_valkey
from scheduler_service.storage.database import Database

INSTANTS = 100
SCRIPT = {"type": "shell_script", "script": "exit $((SCHEDULER_RUN_ID % 2))"}
PROGRAM = {"type": "program", "argv": ["true"]}
# The share of jobs that skip an instant if the run before is still active: skipped rows are counted, too.
SKIPPING = 0.1
# For all runs of a leg to end.
LEG_SECONDS = 1800.0
# Between looks, so that the processors are left to the service.
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Campaign:
    """How many runs to execute, how many faults to inject, and the random numbers that place them."""

    runs: int
    kills: int
    chance: random.Random
    began_at: float = field(default_factory=time.monotonic)

    def thresholds(self) -> Iterator[float]:
        """Return after how many executed runs each of the kills is due."""
        for number in range(self.kills):
            print(f"kill {number + 1} of {self.kills} …", file=sys.stderr)
            yield self.runs * (number + self.chance.uniform(0.3, 1)) / (self.kills + 1)


class CounterHistory:
    """The counters of a service as they were read, and those that ever went down."""

    def __init__(self) -> None:
        """Start without a reading."""
        self._latest: Counter[Key] = Counter()
        self._readings = 0
        self._fallen: set[Key] = set()

    def read(self, url: str) -> Counter[Key]:
        """Read the counters and return them; return the last ones if the process or its database does not answer."""
        try:
            counters = checker.read_counters(url)
        except httpx2.TransportError:
            return self._latest
        if counters:
            self._readings += 1
            self._fallen |= {key for key, number in self._latest.items() if counters[key] < number}
            self._latest = counters
        return self._latest

    def check(self, counted: Counter[Key], campaign: Campaign) -> list[Promise]:
        """Check the readings against the rows."""
        ran, seconds = checker.executed(counted), time.monotonic() - campaign.began_at
        about = f"{ran} executed, {campaign.kills} faults, {seconds:.0f} s"
        return [
            Promise("at least as many runs as asked for were executed", ran >= campaign.runs, about),
            Promise("no counter ever went down", not self._fallen, f"{self._readings} readings"),
            *checker.compare(self._latest, counted),
        ]


async def store_jobs(database_url: str, number_of_runs: int) -> None:
    """Store jobs with a hundred past instants each: enough for `number_of_runs` that overlap, and some that skip."""
    await migrate(database_url)
    database, now = Database(database_url), datetime.now(UTC)
    first = now - timedelta(seconds=INSTANTS)
    due = {"schedule_expr": "1s", "anchor_at": first - timedelta(seconds=1), "next_run_at": first, "end_at": now}
    overlapping = -(-number_of_runs // INSTANTS)
    for number in range(overlapping + max(1, int(overlapping * SKIPPING))):
        policy = "allow" if number < overlapping else "skip"
        payload = PROGRAM if number % 10 == 0 else SCRIPT
        await add_job(database, **due, payload=payload, misfire_policy="fire_all", overlap_policy=policy)
    await database.close()


def embedded(directory: Path, campaign: Campaign) -> list[Promise]:
    """Kill the one process again and again while it executes the runs that are due."""
    file = directory / "data" / "scheduler.db"
    file.parent.mkdir(parents=True)
    url, history = f"sqlite:///{file}", CounterHistory()
    asyncio.run(store_jobs(url, campaign.runs))
    variables = {"SCHEDULER_SANDBOX": "none", "SCHEDULER_SLOTS": "4"}
    for enough in campaign.thresholds():
        with up(directory, execute, **variables) as service:
            _until(lambda: checker.executed(history.read(service.url)) >= enough)  # noqa: B023 (called at once)
            service.process.kill()
            service.process.wait()
    with up(directory, execute, **variables) as service:
        _until(lambda: asyncio.run(checker.count_active(url)) == 0)
        history.read(service.url)
        counted = asyncio.run(checker.count_rows(url))
    return history.check(counted, campaign)


async def distributed(directory: Path, campaign: Campaign) -> list[Promise]:
    """Kill processes of every kind, cut all connections to the database, and flush Redis, in turns."""
    variables = {"SCHEDULER_SLOTS": "4", "SCHEDULER_WORKER_DEAD_SECONDS": "2"}
    with servers.postgres() as postgres, servers.valkey() as redis:
        url, history = postgres.create_database(), CounterHistory()
        await store_jobs(url, campaign.runs)
        with cluster_on(url, f"{redis}/0", directory, execute, **variables) as cluster:
            fleet = Fleet(cluster)
            await fleet.start()
            for number, enough in enumerate(campaign.thresholds()):
                await asyncio.to_thread(_until, lambda: checker.executed(history.read(fleet.url)) >= enough)  # noqa: B023
                await fleet.inject(FAULTS[number % len(FAULTS)])
            await asyncio.to_thread(_until, lambda: asyncio.run(checker.count_active(url)) == 0)
            history.read(fleet.url)
            counted = await checker.count_rows(url)
    return history.check(counted, campaign)


def _until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + LEG_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"the runs did not end within {LEG_SECONDS:g} s"  # noqa: S101 (as in tests)
        time.sleep(PAUSE_SECONDS)


FAULTS = ("worker", "beat", "api", "database", "redis")


class Fleet:
    """Two processes of each kind, of which one at a time is killed and replaced."""

    def __init__(self, cluster: Cluster) -> None:
        """Prepare; `start` starts the processes."""
        self._cluster = cluster
        self._members: dict[str, list[Member]] = {"worker": [], "beat": [], "api": []}
        self._observers: list[Observer] = []

    @property
    def url(self) -> str:
        """Where the older of the API processes answers."""
        return self._observers[0].url

    async def start(self) -> None:
        """Start two of each kind."""
        for kind in (*self._members, *self._members):
            await self._add(kind)

    async def inject(self, fault: str) -> None:
        """Inject one fault, and replace a process that was killed."""
        if fault == "redis":
            ask_valkey(self._cluster.environment["REDIS_URL"], "FLUSHALL")
        elif fault == "database":
            await _cut_connections(self._cluster.environment["DATABASE_URL"])
        else:
            self._members[fault].pop(0).kill()
            if fault == "api":
                await self._observers.pop(0).close()
            await self._add(fault)

    async def _add(self, kind: str) -> None:
        if kind == "api":
            self._observers.append(await start_api(self._cluster))
            member = self._cluster.members[-1]
        else:
            member = await (self._cluster.start_worker() if kind == "worker" else self._cluster.start_beat())
        self._members[kind].append(member)


async def _cut_connections(database_url: str) -> None:
    database = Database(database_url)
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    async with database.read() as connection:
        await connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))  # noqa: S608
    await database.close()
