"""Trial runs, which show that a sandbox works from end to end.

The checks in `capability_checks` cover the promises of a level one by one. A trial run uses the directories, users,
limits and interpreters of every run, so it fails if the next run would fail. The Python code ends with an exit code of
its own: a sandbox that took it for a success, whatever the interpreter changed, would report failed runs as successes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from scheduler_service.sandbox.contract.spec import (
    Command,
    End,
    Limits,
    Outcome,
    PythonCode,
    Sandbox,
    SandboxError,
    Script,
    Spec,
)

_LIMITS = Limits(wall_seconds=20.0, memory_mb=64, cpu_seconds=20, processes=16, disk_mb=16, output_kb=64)
_WORD = "tried"
_CODE = 7
# Reads a module, which the job's user may be unable to, and writes a file where a job may.
_PYTHON = f"""import os
open(os.__file__, 'rb').close()
open('trial', 'w').write('x')
print({_WORD!r})
raise SystemExit({_CODE})"""
_SHELL = f"#!/bin/sh\necho x > trial && echo {_WORD}"
_SHOWN_CHARACTERS = 300


async def make_trial_runs(sandbox: Sandbox, environments: Iterable[str]) -> None:
    """Run a script, and Python code in each environment. Raise `SandboxError` for the first that fails."""
    await _try(sandbox, Script(_SHELL), 0)
    for name in environments:
        try:
            await _try(sandbox, PythonCode(_PYTHON, name), _CODE)
        except SandboxError as error:
            raise SandboxError(f"{error} (environment {name!r})", began=error.began) from error


async def _try(sandbox: Sandbox, command: Command, exit_code: int) -> None:
    output = bytearray()

    async def collect(data: bytes) -> None:
        output.extend(data)

    outcome = await sandbox.run(Spec(command, _LIMITS), collect, asyncio.Event())
    text = output.decode(errors="replace")
    if outcome.end is not End.EXITED or outcome.exit_code != exit_code or text.strip() != _WORD:
        raise SandboxError(f"a trial run failed: {_explain(outcome, text)}")


def _explain(outcome: Outcome, text: str) -> str:
    how = outcome.message or f"{outcome.end}, exit code {outcome.exit_code}"
    said = " ".join(text.split())[-_SHOWN_CHARACTERS:]
    return f"{how}; it wrote: {said}" if said else how
