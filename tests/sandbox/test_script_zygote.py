"""Scripts have a zygote of their own from the second one on; see `script_zygote`."""

from __future__ import annotations

import asyncio

import pytest
from testkit.waiting import eventually
from tests.sandbox.levels import LEVELS, started

from scheduler_service.sandbox import Level, Script, Spec, ZygoteSandbox


async def run(sandbox: ZygoteSandbox) -> str:
    """Run a script. Return which signals it ignores: Python's own settings must not reach it."""
    output = bytearray()

    async def take(data: bytes) -> None:
        output.extend(data)

    await sandbox.run(Spec(Script("grep SigIgn /proc/self/status")), take, asyncio.Event())
    return output.decode()


@pytest.mark.parametrize("level", LEVELS)
async def test_second_script_starts_the_zygote_for_scripts(level: Level) -> None:
    async with started(level) as sandbox:
        launcher = sandbox._launcher._own
        first = await run(sandbox)
        assert launcher.pid is None
        assert await run(sandbox) == first

        async def is_started() -> bool:
            return launcher.pid is not None

        await eventually(is_started)
        assert await run(sandbox) == first
