"""A sandbox of each level that confines, as far as this host holds it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from scheduler_service.sandbox import Level, PythonEnvironment, ZygoteSandbox, probe
from scheduler_service.sandbox.contract.layers import Layer

LEVELS = (Level.STRICT, Level.STANDARD)
_OWN_USER = "runs as a user of its own"


@asynccontextmanager
async def started(level: Level, *granted: str) -> AsyncIterator[ZygoteSandbox]:
    """Start a sandbox of a level, whose runs may be granted some paths."""
    missing = {finding.promise for finding in probe() if level in finding.levels and not finding.held}
    if missing - {_OWN_USER}:
        pytest.skip(f"this host does not hold the level {level}")
    without = frozenset({Layer.OWN_USER} if missing else ())  # Python may be out of reach for other users
    with tempfile.TemporaryDirectory(prefix="levels-", dir="/tmp") as base:
        Path(base).chmod(0o711)  # noqa: ASYNC240
        environments = [PythonEnvironment(preload=())]
        sandbox = ZygoteSandbox(level, Path(base, "runs"), 2, environments, 0.2, without=without, granted=granted)
        await sandbox.start()
        yield sandbox
        await sandbox.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=LEVELS)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[ZygoteSandbox]:
    async with started(request.param) as sandbox:
        yield sandbox
