"""Run all programs at one level of the sandbox, as the current user: `campaign.py <level> <results>`."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.sandbox.differential.programs import Program, load_programs, normalize

from scheduler_service.sandbox.contract.spec import Level, Limits, PythonCode, Sandbox, SandboxError, Spec
from scheduler_service.sandbox.subprocess_sandbox import SubprocessSandbox
from scheduler_service.sandbox.zygote_sandbox import ZygoteSandbox

SLOTS = 4


async def run_all(sandbox: Sandbox, programs: list[Program]) -> dict[str, tuple[int | str, str]]:
    """Return the exit code and the output of each program, or why the sandbox could not run it."""
    slots = asyncio.Semaphore(SLOTS)

    async def run(program: Program) -> tuple[int | str, str]:
        async with slots:
            return await _run(sandbox, program)

    await sandbox.start()
    found = await asyncio.gather(*map(run, programs))
    await sandbox.stop()
    return dict(zip((one.name for one in programs), found, strict=True))


async def _run(sandbox: Sandbox, program: Program) -> tuple[int | str, str]:
    output = bytearray()

    async def collect(chunk: bytes) -> None:
        output.extend(chunk)

    spec = Spec(PythonCode(program.code), Limits(wall_seconds=60), program.environment)
    try:
        outcome = await sandbox.run(spec, collect, asyncio.Event())
    except SandboxError as error:
        return str(error), normalize(bytes(output))
    if outcome.exit_code is not None:
        return outcome.exit_code, normalize(bytes(output))
    return outcome.message or outcome.end if outcome.signal is None else -outcome.signal, normalize(bytes(output))


def main() -> None:
    """Run what the arguments say."""
    level, results = Level(sys.argv[1]), Path(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="differential-", dir="/tmp") as base:
        Path(base).chmod(0o711)
        root = Path(base, "runs")
        sandbox: Sandbox = SubprocessSandbox(root) if level is Level.NONE else ZygoteSandbox(level, root, SLOTS)
        found = asyncio.run(run_all(sandbox, [one for one in load_programs() if level not in one.unless]))
    results.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
