"""How long it takes until all of many jobs that are due at once are on their way to workers, beside RedBeat.

Ours commits a row for each on PostgreSQL, which waits for the disk, and sends the few messages that wake workers
through Valkey. RedBeat keeps its entries in Valkey and sends one message for each. The floor is one statement for the
rows, and one pipeline of messages. The last job that fired is then claimed, as a worker does that has nothing else.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from dataclasses import dataclass, field

from benchmarks.dispatch import HERD, NOON, fill, in_one_statement, migrated
from benchmarks.shared import redbeat
from benchmarks.shared.reports import Report, machine_facts, options
from redis.asyncio import Redis
from sqlalchemy import text
from testkit import servers
from testkit.claiming import claim_run
from testkit.doubles import FakeClock

from scheduler_service.brokers.celery import WINDOW, CeleryBroker, create
from scheduler_service.config.loading import load_settings
from scheduler_service.domain.routing import EVERYTHING
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.storage import workers
from scheduler_service.storage.database import Database

MAX_SECONDS = 0.6
WORKER = "worker"
_MESSAGE = json.dumps({"run": 1, "attempt": 0, "padding": "x" * 600})
"""A message of Celery is about as long."""


@dataclass
class Herd:
    """The servers of all rounds, and the figures by their names."""

    database: Database
    redis_url: str
    count: int
    committed: list[float] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    by_redbeat: list[float] = field(default_factory=list)

    async def fire(self) -> None:
        """Fire all by a dispatcher that notifies workers, and claim the last one."""
        await fill(self.database, self.count)
        settings = load_settings(
            database_url="postgresql://localhost/unused", redis_url=f"{self.redis_url}/0", _env_file=None
        )
        broker = CeleryBroker(create(settings), EVERYTHING)
        dispatcher = Dispatcher(self.database, broker, FakeClock(NOON), tick_seconds=1)
        used, before = _processor_seconds(), time.perf_counter()
        await dispatcher.tick()
        self.committed.append(time.perf_counter() - before)
        self.processor_ms.append((_processor_seconds() - used) * 1000)
        async with self.database.read() as connection:
            last = (await connection.execute(text("SELECT max(id) FROM runs"))).scalar_one()
        before = time.perf_counter()
        async with self.database.write() as connection:
            claimed = await claim_run(connection, last, WORKER, NOON)
        self.started.append(self.committed[-1] + time.perf_counter() - before)
        if claimed is None:
            raise SystemExit(f"run {last} cannot be claimed")
        await broker.close()

    async def send_at_once(self) -> None:
        """Do as much by one statement for each table, and a pipeline of messages."""
        await fill(self.database, self.count)
        async with Redis.from_url(f"{self.redis_url}/1") as redis:
            before = time.perf_counter()
            await in_one_statement(self.database, self.count)
            async with redis.pipeline(transaction=False) as pipeline:
                for _ in range(min(WINDOW, self.count)):
                    pipeline.lpush("messages", _MESSAGE)
                await pipeline.execute()
            self.floor.append(time.perf_counter() - before)

    async def send_by_redbeat(self) -> None:
        """Send as many messages by RedBeat."""
        seconds = await asyncio.to_thread(redbeat.seconds_of_herd, f"{self.redis_url}/2", self.count)
        self.by_redbeat.append(seconds)

    def enter(self, report: Report) -> None:
        """Enter the figures beside those of the peer and the floor."""
        group = f"{self.count:,} due at once"
        aim = MAX_SECONDS if self.count == HERD else None
        report.add(group, "rows committed", "s", self.committed, at_most=aim)
        report.add(group, "the last one claimed, if it runs alone", "s", self.started, at_most=aim)
        report.add(group, "processor time of the dispatcher", "ms", self.processor_ms)
        report.add(group, "one statement and a pipeline (floor)", "s", self.floor)
        report.compare(group, "share of the floor's speed", self.floor, self.committed, at_least=0.5)
        if not self.by_redbeat:
            report.miss(group, "RedBeat's last message (peer)", "not measured: `make bench` installs celery-redbeat")
            return
        report.add(group, "RedBeat's last message (peer)", "s", self.by_redbeat)
        report.compare(group, "times as fast as RedBeat", self.by_redbeat, self.started)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(database_url: str, redis_url: str, sizes: list[int], rounds: int) -> list[Herd]:
    """Measure all by turns, for each number of jobs."""
    herds = []
    async with migrated(database_url) as database:
        async with database.write() as connection:
            await workers.register(connection, WORKER, host="host", pid=1, slots=1, now=NOON)
        for count in sizes:
            herds.append(herd := Herd(database, redis_url, count))
            for number in range(rounds):
                print(f"{count} jobs, round {number + 1} of {rounds} …", file=sys.stderr)
                await herd.fire()
                await herd.send_at_once()
                if redbeat.IS_INSTALLED:
                    await herd.send_by_redbeat()
    return herds


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "herd")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1000, HERD])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    report = Report({"rounds": arguments.rounds} | machine_facts())
    with servers.postgres(servers.DURABLE) as postgres, servers.valkey() as redis_url:
        herds = asyncio.run(measure(postgres.create_database(), redis_url, arguments.jobs, arguments.rounds))
    for herd in herds:
        herd.enter(report)
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
