"""An index on loopback, and a whole service that takes packages from it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testkit.callers import ADMIN
from testkit.package_index import IndexServer, package_index
from tests.engine.conftest import create, until

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.loading import load_settings
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import TERMINAL
from scheduler_service.features.environments.lock_text import id_of
from scheduler_service.services.runs import RunDetail


@pytest.fixture
def index() -> Iterator[IndexServer]:
    """Return an index with the packages `alpha`, which needs `beta`, and `beta` in two versions."""
    with package_index() as served:
        served.add("alpha", "1.0", requires=["beta"])
        served.add("beta", "1.0")
        served.add("beta", "2.0")
        yield served


@dataclass
class Host:
    """A service with an index, and its data directory."""

    service: Service
    index: IndexServer
    data_dir: Path

    async def run(self, code: str, *requirements: str, **changes: Any) -> RunDetail:
        """Create a job, run it, and wait for its end."""
        payload = {"type": "python_code", "code": code, "requirements": list(requirements)}
        job = await create(self.service, payload, **changes)
        return await self.run_job(job.id)

    async def run_job(self, job_id: int) -> RunDetail:
        run = await self.service.jobs.run(ADMIN, job_id)
        return await until(self.service, run.id, *TERMINAL)

    @property
    def built(self) -> list[Path]:
        """The environments on disk."""
        return sorted(path for path in (self.data_dir / "environments").glob("*-*") if path.is_dir())


def opened(index: IndexServer, data_dir: Path, slots: int = 2, **settings: Any) -> AbstractAsyncContextManager[Service]:
    return open_service(
        load_settings(
            data_dir=data_dir,
            package_index_url=index.url,
            drain_seconds=0.5,
            slots=slots,
            **settings,
        )
    )


async def job_with_lock(host: Host, lock: str, code: str = "print('ran')", *, own_id: bool = True) -> Job:
    """Create a job, and store a lock for it as somebody could who may write to the database."""
    environment_id = id_of(lock) if own_id else "0" * 32
    job = await create(host.service, {"type": "python_code", "code": code})
    await asyncio.to_thread(_store, host.data_dir / "scheduler.db", job, environment_id, lock)
    return job


def _store(file: Path, job: Job, environment_id: str, lock: str) -> None:
    now = int(job.created_at.timestamp() * 1e6)
    with closing(sqlite3.connect(file, timeout=10)) as database, database:
        database.execute(
            "INSERT INTO environments (id, state, requirements, lock, log, created_at, used_at) "
            "VALUES (?, 'ready', '[]', ?, '', ?, ?)",
            (environment_id, lock, now, now),
        )
        database.execute("UPDATE jobs SET environment_id = ? WHERE id = ?", (environment_id, job.id))
