"""The leg of the campaign that executes thousands of runs under kills, and then compares every counter."""

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

from faultlab import counters
from faultlab.counters import Key
from faultlab.verdict import Verdict
from scheduler_service.cli.devstack_servers import ask_valkey
from scheduler_service.storage.database import Database

INSTANTS = 100
SCRIPT = {"type": "shell_script", "script": "exit $((SCHEDULER_RUN_ID % 2))"}
PROGRAM = {"type": "program", "argv": ["true"]}
# The share that skips where the one before still runs: rows that never began are counted, too.
SKIPPING = 0.1
PATIENCE_SECONDS = 1800.0
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Campaign:
    """How much to do, and by what chance it is disturbed."""

    runs: int
    kills: int
    chance: random.Random
    began_at: float = field(default_factory=time.monotonic)

    def thresholds(self) -> Iterator[float]:
        """Return after how many executed runs each of the kills is due."""
        for number in range(self.kills):
            print(f"kill {number + 1} of {self.kills} …", file=sys.stderr)
            yield self.runs * (number + self.chance.uniform(0.3, 1)) / (self.kills + 1)


class Watch:
    """Reads the counters of a service again and again, and sees when one goes down."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self._seen: Counter[Key] = Counter()
        self._looks = 0
        self._fallen: set[Key] = set()

    def look(self, url: str) -> Counter[Key]:
        """Return the counters of now; those of the last time while the process or its database does not answer."""
        try:
            told = counters.told(url)
        except httpx2.TransportError:
            return self._seen
        if told:
            self._looks += 1
            self._fallen |= {key for key, number in self._seen.items() if told[key] < number}
            self._seen = told
        return self._seen

    def verdicts(self, counted: Counter[Key], campaign: Campaign) -> list[Verdict]:
        """Hold what was seen last, and on the way to it, against the rows."""
        ran, seconds = counters.executed(counted), time.monotonic() - campaign.began_at
        about = f"{ran} executed, {campaign.kills} faults, {seconds:.0f} s"
        return [
            Verdict("as many runs as asked were really executed", ran >= campaign.runs, about),
            Verdict("no counter ever went down", not self._fallen, f"{self._looks} looks"),
            *counters.compare(self._seen, counted),
        ]


async def store_jobs(database_url: str, number_of_runs: int) -> None:
    """Store jobs that owe a hundred instants each and no more after that: so many runs that overlap, and some more."""
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


def embedded(directory: Path, campaign: Campaign) -> list[Verdict]:
    """Kill the one process again and again while it works off what is owed."""
    file = directory / "data" / "scheduler.db"
    file.parent.mkdir(parents=True)
    url, watch = f"sqlite:///{file}", Watch()
    asyncio.run(store_jobs(url, campaign.runs))
    variables = {"SCHEDULER_SANDBOX": "none", "SCHEDULER_SLOTS": "4"}
    for enough in campaign.thresholds():
        with up(directory, execute, **variables) as service:
            _until(lambda: counters.executed(watch.look(service.url)) >= enough)  # noqa: B023 (called at once)
            service.process.kill()
            service.process.wait()
    with up(directory, execute, **variables) as service:
        _until(lambda: asyncio.run(counters.unended(url)) == 0)
        watch.look(service.url)
        counted = asyncio.run(counters.kept(url))
    return watch.verdicts(counted, campaign)


async def distributed(directory: Path, campaign: Campaign) -> list[Verdict]:
    """Kill processes of every kind, cut off everybody from the database, and flush Redis, in turns."""
    variables = {"SCHEDULER_SLOTS": "4", "SCHEDULER_WORKER_DEAD_SECONDS": "2"}
    with servers.postgres() as postgres, servers.valkey() as redis:
        url, watch = postgres.create_database(), Watch()
        await store_jobs(url, campaign.runs)
        with cluster_on(url, f"{redis}/0", directory, execute, **variables) as cluster:
            crew = Crew(cluster)
            await crew.start()
            for number, enough in enumerate(campaign.thresholds()):
                await asyncio.to_thread(_until, lambda: counters.executed(watch.look(crew.url)) >= enough)  # noqa: B023
                await crew.disturb(FAULTS[number % len(FAULTS)])
            await asyncio.to_thread(_until, lambda: asyncio.run(counters.unended(url)) == 0)
            watch.look(crew.url)
            counted = await counters.kept(url)
    return watch.verdicts(counted, campaign)


def _until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, and leave the processor to the service meanwhile."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"  # noqa: S101 (as in tests)
        time.sleep(PAUSE_SECONDS)


FAULTS = ("worker", "beat", "api", "database", "redis")


class Crew:
    """Two processes of each kind, of which one at a time is killed and replaced."""

    def __init__(self, cluster: Cluster) -> None:
        """Nothing is started yet."""
        self._cluster = cluster
        self._members: dict[str, list[Member]] = {"worker": [], "beat": [], "api": []}
        self._observers: list[Observer] = []

    @property
    def url(self) -> str:
        """Where the older of the API processes answers."""
        return self._observers[0].url

    async def start(self) -> None:
        """Start them all."""
        for kind in (*self._members, *self._members):
            await self._add(kind)

    async def disturb(self, fault: str) -> None:
        """Inject one fault, and replace a process that was killed."""
        if fault == "redis":
            ask_valkey(self._cluster.environment["REDIS_URL"], "FLUSHALL")
        elif fault == "database":
            await _cut_off_everybody(self._cluster.environment["DATABASE_URL"])
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


async def _cut_off_everybody(database_url: str) -> None:
    database = Database(database_url)
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    async with database.read() as connection:
        await connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))  # noqa: S608
    await database.close()
