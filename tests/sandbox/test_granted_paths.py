"""Granted paths in unusual places and numbers."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.sandbox.test_zygote_sandbox import place_for_runs

from scheduler_service.sandbox import Access, Level, PythonCode, Spec, ZygoteSandbox, best_level, probe
from scheduler_service.sandbox.contract.environment import PythonEnvironment

MANY = 1100  # more than a process may have open files by default


@contextmanager
def place_for_grants(parent: str) -> Iterator[Path]:
    base = Path(tempfile.mkdtemp(prefix="granted-", dir=parent))
    base.chmod(0o755)
    try:
        yield base
    finally:
        shutil.rmtree(base)


def make_directories(base: Path, count: int) -> list[str]:
    paths = [base / str(number) for number in range(count)]
    for path in paths:
        path.mkdir()
    return list(map(str, paths))


async def run(level: Level, code: str, access: Access, granted: list[str]) -> str:
    output = bytearray()

    async def collect(chunk: bytes) -> None:
        output.extend(chunk)

    with place_for_runs() as root:
        box = ZygoteSandbox(level, root, 1, [PythonEnvironment(preload=())], granted=granted)
        await box.start()
        outcome = await box.run(Spec(PythonCode(code), access=access), collect, asyncio.Event())
        await box.stop()
    assert outcome.message is None
    return output.decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory in /run")
async def test_grant_in_run_shows_nothing_else_there() -> None:
    if best_level(probe()) is not Level.STRICT:
        pytest.skip("this host does not hold the level strict")
    with place_for_grants("/run") as base:
        (base / "file").write_text("GRANTED")
        code = f"import os; print(os.listdir('/run'), open('{base}/file').read())"
        output = await run(Level.STRICT, code, Access(read=(str(base),)), [str(base)])
    assert output == f"['{base.name}'] GRANTED\n"


@pytest.mark.parametrize("level", [Level.STRICT, Level.STANDARD])
async def test_paths_beyond_the_limit_of_open_files(level: Level) -> None:
    if level is Level.STRICT and best_level(probe()) is not level:
        pytest.skip("this host does not hold the level")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with place_for_grants("/var/tmp") as base:  # noqa: S108 (outside the run's own /tmp)
        paths = make_directories(base, MANY)
        code = f"import os; print(len([path for path in {paths[-5:]} if os.listdir(path) == []]))"
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, limits[1]), limits[1]))
        try:
            output = await run(level, code, Access(read=tuple(paths)), paths)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert output == "5\n"


def test_paths_that_another_shows_are_left_out() -> None:
    access = Access(
        read=("/data", "/data/in", "/out/ro", "/file"), write=("/data/rw", "/data/rw/deep", "/out"), sockets=("/out/s",)
    )
    assert access.shown == ("/data", "/data/rw", "/file", "/out")
