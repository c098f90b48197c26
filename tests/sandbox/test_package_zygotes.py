"""Zygotes of environments that come with a run: started on demand, warm for a while, within a budget of memory."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from testkit.waiting import eventually
from tests.sandbox.test_zygote_sandbox import run

from scheduler_service.sandbox import Level, PythonCode, PythonEnvironment, ZygoteSandbox
from scheduler_service.sandbox.contract.environment import Warmth


def environment(name: str) -> PythonEnvironment:
    return PythonEnvironment(name, Path(sys.executable), preload=("json",))


@asynccontextmanager
async def started(root: Path, warmth: Warmth) -> AsyncIterator[ZygoteSandbox]:
    sandbox = ZygoteSandbox(Level.STRICT, root, 1, [PythonEnvironment(preload=())], warmth=warmth)
    await sandbox.start()
    try:
        yield sandbox
    finally:
        await sandbox.stop()


def pids(sandbox: ZygoteSandbox) -> list[int]:
    """Return the zygotes of environments that came with runs, the one used last at the end."""
    kept = sandbox._package_zygotes._kept.values()
    return [pid for each in kept if (pid := each.zygote.pid) is not None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


async def test_zygote_stays_for_the_next_run(root: Path) -> None:
    async with started(root, Warmth()) as sandbox:
        assert (await run(sandbox, PythonCode("import sys; print('json' in sys.modules)", environment("a"))))[
            1
        ] == "True\n"
        first = pids(sandbox)
        await run(sandbox, PythonCode("pass", environment("a")))
        assert pids(sandbox) == first
        assert len(first) == 1


async def test_idle_zygote_ends(root: Path) -> None:
    async with started(root, Warmth(idle_seconds=0)) as sandbox:
        await run(sandbox, PythonCode("pass", environment("a")))

        async def look() -> bool:
            return not pids(sandbox)

        await eventually(look)
        outcome, _ = await run(sandbox, PythonCode("pass", environment("a")))
        assert outcome.exit_code == 0


async def test_zygote_used_longest_ago_ends_beyond_the_budget(root: Path) -> None:
    async with started(root, Warmth(memory_mb=0)) as sandbox:
        for name in ("a", "b", "c"):
            await run(sandbox, PythonCode("pass", environment(name)))
        assert len(pids(sandbox)) == 1


async def test_many_zygotes_fit_into_a_large_budget(root: Path) -> None:
    async with started(root, Warmth(memory_mb=1024)) as sandbox:
        for number in range(4):
            await run(sandbox, PythonCode("pass", environment(str(number))))
        living = pids(sandbox)
        assert len(set(living)) == 4
    for pid in living:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
