"""Runs scripts outside of any sandbox and at each level, in one setting, and writes down what came of each.

Started by the tests as `python script_campaign.py <results>`, in a process that has already entered its setting (see
settings.py). Outside, bash or the script's shebang runs it, with an empty input, and one pipe that is read to its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from scheduler_service.payloads.line_endings import normalise
from scheduler_service.sandbox.contract.command import job_environment
from scheduler_service.sandbox.contract.environment import PythonEnvironment
from scheduler_service.sandbox.contract.spec import Level, Limits, Sandbox, SandboxError, Script, Spec
from scheduler_service.sandbox.probe import best_level, probe
from scheduler_service.sandbox.subprocess_sandbox import SubprocessSandbox
from scheduler_service.sandbox.zygote_sandbox import ZygoteSandbox

SCRIPTS = Path(__file__).parent / "scripts"
AT_ONCE = 4
WALL_SECONDS = 60.0
OUTSIDE = "outside"
DIFFERENCES = "differences"
_DIRECTORY = re.compile(rb"(?<!\w)/job\b|/tmp/scripts-[^/\s]+/runs/service-[0-9a-f]+/run-[0-9a-f]+")
_PROCESS_ID = re.compile(rb"(?<=: )[ \d]+(?= (Killed|Terminated|File size))")
Came = dict[str, Any]
"""What came of a script: its code (negative for a signal), its output as Latin-1, and the message of the run."""


def load_scripts() -> list[dict[str, Any]]:
    """Return all scripts, each with the name of its file."""
    return [
        {"file": path.stem} | entry
        for path in sorted(SCRIPTS.glob("*.yaml"))
        for entry in yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    ]


def missing_tools(entry: dict[str, Any]) -> list[str]:
    """Return the tools that a script needs and this machine lacks."""
    return [tool for tool in entry.get("needs", ()) if shutil.which(tool) is None]


async def run_inside(sandbox: Sandbox, entry: dict[str, Any]) -> Came:
    """Run a script in a sandbox."""
    output = bytearray()

    async def collect(chunk: bytes) -> None:
        output.extend(chunk)

    text = normalise(entry["script"]) if entry.get("payload") else entry["script"]
    spec = Spec(Script(text), Limits(wall_seconds=WALL_SECONDS, output_kb=4096), entry.get("env", {}))
    try:
        outcome = await sandbox.run(spec, collect, asyncio.Event())
    except SandboxError as error:
        return {"code": None, "output": "", "message": f"the sandbox failed: {error}"}
    code = outcome.exit_code if outcome.signal is None else -outcome.signal
    return {"code": code, "output": _unify(_DIRECTORY.sub(b"~", bytes(output))), "message": outcome.message}


async def run_outside(entry: dict[str, Any]) -> Came:
    """Run a script as a shell or its shebang does."""
    with tempfile.TemporaryDirectory(prefix="outside-") as home:
        script = _write_script(home, entry["script"])
        process = await asyncio.create_subprocess_exec(
            *([] if entry["script"].startswith("#!") else ["bash"]),
            script,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=home,
            env=job_environment(home, "nobody", entry.get("env", {})),
            start_new_session=True,
        )
        output, _ = await asyncio.wait_for(process.communicate(), WALL_SECONDS)
    return {"code": process.returncode, "output": _unify(output.replace(home.encode(), b"~")), "message": None}


def _unify(output: bytes) -> str:
    """Return output without the process ids that bash names."""
    return _PROCESS_ID.sub(b"PID", output).decode("latin-1")


def _write_script(home: str, text: str) -> str:
    script = Path(home, "job")
    script.write_text(text, encoding="utf-8", newline="")
    script.chmod(0o755)
    return str(script)


async def run_all(entries: Sequence[dict[str, Any]]) -> dict[str, dict[str, Came]]:
    """Return what came of every script, outside and at each level that this machine holds."""
    found = {OUTSIDE: await _each([entry for entry in entries if entry["file"] != DIFFERENCES], run_outside)}
    best = best_level(probe())
    for level in list(Level)[list(Level).index(best) :]:
        with tempfile.TemporaryDirectory(prefix="scripts-", dir="/tmp") as base:
            os.chmod(base, 0o711)  # noqa: PTH101, S103
            sandbox = _sandbox(level, Path(base, "runs"))
            await sandbox.start()
            found[level] = await _each(entries, lambda entry, sandbox=sandbox: run_inside(sandbox, entry))
            await sandbox.stop()
    return found


def _sandbox(level: Level, root: Path) -> Sandbox:
    if level is Level.NONE:
        return SubprocessSandbox(root)
    return ZygoteSandbox(level, root, AT_ONCE, [PythonEnvironment(preload=())])


async def _each(entries: Sequence[dict[str, Any]], run: Any) -> dict[str, Came]:
    free = asyncio.Semaphore(AT_ONCE)

    async def run_one(entry: dict[str, Any]) -> Came:
        async with free:
            came: Came = await run(entry)
            return came

    results = await asyncio.gather(*map(run_one, entries))
    return {entry["id"]: came for entry, came in zip(entries, results, strict=True)}


def main() -> None:
    """Run the scripts that this machine has tools for."""
    os.umask(0o022)
    entries = [entry for entry in load_scripts() if not missing_tools(entry)]
    Path(sys.argv[1]).write_text(json.dumps(asyncio.run(run_all(entries))), encoding="utf-8")


if __name__ == "__main__":
    main()
