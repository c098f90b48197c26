"""A migrated database for a test, on each kind that the service supports: one suite, every database."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Dialect, Engine, event
from tests.servers import PostgresServer

from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import JobStatus, RunStatus, Trigger
from scheduler_service.storage import jobs, migrations, runs, workers
from scheduler_service.storage.database import Database

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
# For tests in which the database has no part: of their own, and shared.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SHARED_ON_SQLITE = pytest.mark.parametrize("shared_database_url", ["sqlite"], indirect=True)


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: ten times as fast as to migrate anew."""
    import asyncio

    path = tmp_path_factory.mktemp("template") / "scheduler.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated, empty database."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_postgres_url"))
    path = tmp_path / "scheduler.db"
    shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a migrated database that all tests of a module share; for a conftest to import."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.lent(request.getfixturevalue("migrated_template")) as url:
            yield url
        return
    path = tmp_path_factory.mktemp("database") / "scheduler.db"
    shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
    yield f"sqlite:///{path}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = led_to(database_url)
    yield database
    await database.close()


_kept: dict[str, Database] = {}


def led_to(url: str) -> Database:
    """Return the `Database` that all tests have on this kind, whose next connections go to `url`.

    Its engines keep the SQL that they have compiled, as they do in a service; to compile it anew took a test longer
    than to execute it. Of a database, they keep nothing.
    """
    there = Database(url)
    kept = _kept.setdefault(url.partition(":")[0], there)
    if kept is there:
        for engine in {kept._writer.sync_engine, kept._reader.sync_engine}:
            event.listen(engine, "do_connect", partial(_lead, engine), insert=True)
    kept._writer.sync_engine.url, kept._reader.sync_engine.url = there._writer.url, there._reader.url
    return kept


def _lead(engine: Engine, dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
    arguments[:], changed = dialect.create_connect_args(engine.url)
    options.update(changed)


async def add_job(database: Database, **changes: Any) -> Job:
    """Store a job that is due every minute from noon on, or as `changes` say."""
    async with database.write() as connection:
        return await jobs.add(connection, {**A_JOB, **changes})


async def add_running(database: Database) -> Run:
    """Store a run of a new job that a new worker `w` executes."""
    job = await add_job(database)
    row = runs.queued_row(
        job_id=job.id, trigger=Trigger.MANUAL, scheduled_for=NOON, priority=5, correlation_id="c", now=NOON
    )
    running = {"status": RunStatus.RUNNING, "attempt": 1, "worker_id": "w", "started_at": NOON}
    async with database.write() as connection:
        await workers.register(connection, "w", host="h", pid=1, slots=1, now=NOON)
        return await runs.add(connection, row | running)


A_JOB: dict[str, Any] = {
    "name": "a job",
    "description": "",
    "owner_id": "",
    "tags": [],
    "status": JobStatus.ACTIVE,
    "schedule_expr": "* * * * *",
    "timezone": "UTC",
    "dst_gap": "run_after",
    "dst_fold": "first",
    "anchor_at": NOON,
    "start_at": None,
    "end_at": None,
    "jitter_seconds": 0.0,
    "payload": {"type": "shell_script", "script": "echo hello"},
    "env": {},
    "args": {},
    "limits": {},
    "timeout_seconds": 30.0,
    "retry_policy": {"max_retries": 0},
    "priority": 5,
    "overlap_policy": "allow",
    "max_concurrency": 1,
    "misfire_policy": "fire_once",
    "misfire_grace_seconds": 60.0,
    "catchup_limit": 100,
    "next_run_at": NOON,
    "version": 1,
    "schedule_version": 1,
    "created_at": NOON,
    "updated_at": NOON,
}


async def migrate(url: str) -> None:
    database = Database(url)
    await migrations.upgrade(database)
    await database.close()
