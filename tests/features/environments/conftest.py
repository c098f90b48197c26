"""An index on loopback, and a whole service that takes packages from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testkit.callers import ADMIN
from testkit.package_index import IndexServer, package_index
from tests.engine.conftest import create, until

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.loading import load_settings
from scheduler_service.domain.run_state import TERMINAL
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


def opened(index: IndexServer, data_dir: Path, **settings: Any) -> AbstractAsyncContextManager[Service]:
    return open_service(
        load_settings(
            data_dir=data_dir,
            package_index_url=index.url,
            slots=2,
            drain_seconds=0.5,
            **settings,
        )
    )
