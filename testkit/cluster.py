"""The distributed mode as operators run it: each documented command in its own process."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.loading import load_settings
from scheduler_service.config.settings import Settings
from scheduler_service.domain.records import Run
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.storage.database import Database
from testkit.callers import ADMIN
from testkit.programs import PACKAGE_PATH, Process, Start, fork
from testkit.waiting import DEADLINE_SECONDS, eventually

ROOT = Path(__file__).parents[1]
NEVER = "2099-01-01T00:00:00Z"


@dataclass
class Member:
    """One process of the cluster."""

    name: str
    process: Process
    log_file: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)

    def stop(self) -> int:
        """Send TERM, and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)


@dataclass
class Cluster:
    """Processes that share a database and a Redis."""

    directory: Path
    environment: dict[str, str]
    begin: Start = fork
    members: list[Member] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return load_settings(
            database_url=self.environment["DATABASE_URL"], redis_url=self.environment["REDIS_URL"], _env_file=None
        )

    def start(self, program: str, *arguments: str, **variables: str) -> Member:
        """Start a program at the root of the checkout, in the environment of the cluster."""
        name = f"{len(self.members)}-{program}"
        log_file = self.directory / f"{name}.log"
        log_file.touch()
        process = self.begin([program, *arguments], ROOT, {**self.environment, **variables}, log_file, log_file)
        self.members.append(Member(name, process, log_file))
        return self.members[-1]

    async def start_beat(self) -> Member:
        """Start a beat, and wait until it ticks."""
        beat = self.start("celery", "-A", "src.app.celery_app", "beat")
        await self.says(beat, "dispatcher_started")
        return beat

    async def start_worker(self, **variables: str) -> Member:
        """Start a worker, and wait until it is ready."""
        # Without a chat with its neighbours, which takes a second.
        arguments = ("--without-mingle", "--without-gossip")
        worker = self.start("celery", "-A", "src.app.celery_app", "worker", *arguments, **variables)
        await self.says(worker, " ready.")
        return worker

    async def says(self, member: Member, words: str, times: int = 1) -> None:
        """Wait for words in the log of a member."""

        async def look() -> bool:
            assert member.process.poll() is None, member.log
            return member.log.count(words) >= times

        await eventually(look)

    def stop(self) -> None:
        """Stop every member by SIGTERM, and wait."""
        for member in self.members:
            member.process.send_signal(signal.SIGTERM)
        for member in self.members:
            member.process.wait(DEADLINE_SECONDS)

    def end(self) -> None:
        for member in self.members:
            member.kill()


@contextmanager
def cluster_on(
    database_url: str, redis_url: str, directory: Path, begin: Start = fork, /, **variables: str
) -> Iterator[Cluster]:
    """Yield a cluster without processes. Processes started later are killed at the end of the block."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SCHEDULER_DATA_DIR": str(directory / "data"),
        "SCHEDULER_SANDBOX": "none",
        **PACKAGE_PATH,
        **variables,
    }
    cluster = Cluster(directory, environment, begin)
    try:
        yield cluster
    finally:
        cluster.end()


class Client:
    """The request side of the service in this process, and access to its database."""

    def __init__(self, service: Service, database: Database) -> None:
        self.service = service
        self.database = database

    async def create(self, script: str, **changes: Any) -> int:
        """Create a job that runs a shell script, with a far schedule unless `changes` has one. Return its id."""
        definition = {
            "name": "a job",
            "schedule_expr": NEVER,
            "payload": {"type": "shell_script", "script": script},
            "overlap_policy": "allow",
            "retry_policy": {"max_retries": 0},
            **changes,
        }
        return (await self.service.jobs.create(ADMIN, JobDefinition.model_validate(definition))).id

    async def run(self, job_id: int, times: int = 1) -> list[int]:
        """Queue a job `times` times. Return the ids of the runs."""
        return [(await self.service.jobs.run(ADMIN, job_id)).id for _ in range(times)]

    async def find(self, run_id: int) -> Run:
        return (await self.service.runs.get(ADMIN, run_id)).view.run

    async def until(self, run_id: int, *statuses: str) -> Run:
        """Wait until a run is in one of these states."""

        async def look() -> Run | None:
            run = await self.find(run_id)
            return run if run.status in statuses else None

        run: Run = await eventually(look)
        return run

    async def ask(self, query: str, **values: Any) -> list[Any]:
        """Query the database. Return the rows."""
        async with self.database.read() as connection:
            return list(await connection.execute(text(query), values))

    async def count(self, condition: str, **values: Any) -> int:
        """Count the runs that fulfil a condition."""
        ((number,),) = await self.ask(f"SELECT count(*) FROM runs WHERE {condition}", **values)  # noqa: S608
        return int(number)

    async def until_all_succeeded(self, number: int) -> None:
        async def look() -> bool:
            failed = await self.ask(
                "SELECT runs.id, exit_code, reason, data FROM runs LEFT JOIN run_logs ON run_id = runs.id"
                " WHERE status IN ('failed', 'cancelled')"
            )
            assert not failed, failed
            return await self.count("status = 'success'") >= number

        await eventually(look)


@asynccontextmanager
async def client_of(cluster: Cluster) -> AsyncIterator[Client]:
    database = Database(cluster.environment["DATABASE_URL"])
    async with open_service(cluster.settings) as service:
        yield Client(service, database)
    await database.close()
