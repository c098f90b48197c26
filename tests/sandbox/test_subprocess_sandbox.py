"""The sandbox of level `none`: timeouts, output caps and private directories, without containment."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from testkit.waiting import eventually

from scheduler_service.sandbox import (
    Command,
    End,
    Limits,
    Outcome,
    Program,
    PythonCode,
    SandboxError,
    Script,
    Spec,
    SubprocessSandbox,
)

NEVER = asyncio.Event


class Collected:
    """Takes output as the engine would."""

    def __init__(self) -> None:
        self.data = b""
        self.changed = asyncio.Event()

    async def __call__(self, chunk: bytes) -> None:
        self.data += chunk
        self.changed.set()

    async def until(self, text: bytes) -> None:
        """Wait until the output holds `text`."""
        async with asyncio.timeout(10):
            while text not in self.data:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SubprocessSandbox]:
    sandbox = SubprocessSandbox(tmp_path / "runs", max_grace_seconds=0.2, output_wait_seconds=1.0)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.fixture
def output() -> Collected:
    return Collected()


async def run(sandbox: SubprocessSandbox, command: Command, output: Collected, **limits: Any) -> Outcome:
    return await sandbox.run(Spec(command, Limits(**limits)), output, NEVER())


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            PythonCode("import os; print(sorted(os.environ))"),
            b"['HOME', 'LANG', 'LOGNAME', 'PATH', 'SHELL', 'TMPDIR', 'USER'",
        ),
        (Script('[ "$USER $LOGNAME" = "$(id -un) $(id -un)" ] && echo same'), b"same\n"),
        (Script('[ $# -gt 0 ] || exec "$0" again; echo $1; [ -x "$0" ] && echo executable'), b"again\nexecutable\n"),
        (Script("echo one > /dev/stdout; echo two > /dev/stderr; echo three > /proc/self/fd/1"), b"one\ntwo\nthree\n"),
        (PythonCode("import sys; print(repr(sys.stdin.read()))"), b"''\n"),
        (PythonCode("import os; print(os.getcwd() == os.environ['HOME'] == os.environ['TMPDIR'])"), b"True\n"),
        (Script("echo ${BASH_VERSION:+bash}"), b"bash\n"),
        (Script("#!/bin/sh -e\necho sh\nfalse\necho no"), b"sh\n"),
        (Script("#! /usr/bin/env python3\nprint('py')"), b"py\n"),
        (Program(("cat",), stdin=b"fed\0\xff"), b"fed\0\xff"),
        (Script("echo out; echo err >&2; echo out"), b"out\nerr\nout\n"),
    ],
)
async def test_command_runs_as_documented(
    sandbox: SubprocessSandbox, output: Collected, command: Command, expected: bytes
) -> None:
    await run(sandbox, command, output)
    assert output.data.startswith(expected)


async def test_outcome_distinguishes_exit_codes_from_signals(sandbox: SubprocessSandbox, output: Collected) -> None:
    exited = await run(sandbox, Script("exit 3"), output)
    killed = await run(sandbox, Script("kill -SEGV $$"), output)
    assert (exited.end, exited.exit_code, exited.signal) == (End.EXITED, 3, None)
    assert (killed.end, killed.exit_code, killed.signal) == (End.SIGNALLED, None, 11)
    assert killed.message == "was ended by SIGSEGV"


@pytest.mark.parametrize(
    "command",
    [Program(("no-such-program",)), Script("#!/no/such/interpreter\n"), PythonCode("1", "nowhere"), Program(("a\0b",))],
)
async def test_run_is_rejected_when_the_command_cannot_start(
    sandbox: SubprocessSandbox, output: Collected, command: Command
) -> None:
    outcome = await run(sandbox, command, output)
    assert outcome.end is End.REJECTED
    assert outcome.message


async def test_command_is_killed_when_it_ignores_the_timeout(sandbox: SubprocessSandbox, output: Collected) -> None:
    outcome = await run(
        sandbox, Script("trap '' TERM; echo start; while :; do sleep 1; done"), output, wall_seconds=0.5
    )
    assert (outcome.end, outcome.exit_code, output.data) == (End.TIMEOUT, None, b"start\n")


@pytest.mark.parametrize(("grace_seconds", "said"), [(0.0, b""), (60.0, b"bye\n")])
async def test_grace_time_is_that_of_the_command(
    tmp_path: Path, output: Collected, grace_seconds: float, said: bytes
) -> None:
    sandbox, cancel = SubprocessSandbox(tmp_path / "runs"), asyncio.Event()
    await sandbox.start()
    script = Script("trap 'sleep 0.5; echo bye; exit' TERM; echo ready; sleep 60 & wait")
    ended = asyncio.create_task(sandbox.run(Spec(script, Limits(grace_seconds=grace_seconds)), output, cancel))
    await output.until(b"ready\n")
    cancel.set()
    assert (await ended).end is End.CANCELLED
    assert output.data == b"ready\n" + said
    await sandbox.stop()


async def test_command_cleans_up_in_its_grace_time(sandbox: SubprocessSandbox, output: Collected) -> None:
    await run(sandbox, Script("trap 'echo bye; exit' TERM; sleep 60 & wait"), output, wall_seconds=0.5)
    assert output.data == b"bye\n"


async def test_output_arrives_while_the_command_runs(sandbox: SubprocessSandbox, output: Collected) -> None:
    cancel = asyncio.Event()
    attempt = asyncio.create_task(
        sandbox.run(Spec(PythonCode("print('now')\nimport time; time.sleep(60)")), output, cancel)
    )
    await output.until(b"now")
    cancel.set()
    assert (await attempt).end is End.CANCELLED


async def test_output_is_truncated_when_it_exceeds_the_cap(sandbox: SubprocessSandbox, output: Collected) -> None:
    outcome = await run(sandbox, Script("head -c 300000 /dev/zero | tr '\\0' y"), output, output_kb=1)
    assert (outcome.end, outcome.exit_code, outcome.output_truncated) == (End.EXITED, 0, True)
    assert output.data == b"y" * 768 + b"\n[298976 bytes of output are left out here]\n" + b"y" * 256


async def test_run_ends_when_it_floods_the_output(sandbox: SubprocessSandbox, output: Collected) -> None:
    outcome = await run(sandbox, Script("exec cat /dev/zero"), output, output_kb=1)
    assert outcome.end is End.OUTPUT_LIMIT


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exec > >(sed 's/^/[x] /') 2>&1; echo a; echo LAST", b"[x] a\n[x] LAST\n"),
        ("coproc { cat >&2; }; echo to-coproc >&${COPROC[1]}", b"to-coproc\n"),
        ("(sleep 0.2; echo LATE) & echo main", b"main\nLATE\n"),
    ],
)
async def test_output_is_complete_when_a_filter_ends_last(
    sandbox: SubprocessSandbox, output: Collected, script: str, expected: bytes
) -> None:
    outcome = await run(sandbox, Script(script), output)
    assert (outcome.exit_code, outcome.message, output.data) == (0, None, expected)


async def test_background_processes_die_with_the_main_process(sandbox: SubprocessSandbox, output: Collected) -> None:
    began = time.monotonic()
    outcome = await run(sandbox, Script("sleep 300 & echo $!"), output)
    assert time.monotonic() - began < 60
    assert "killed 1 background process " in (outcome.message or "")

    async def is_gone() -> bool:
        return not is_alive(int(output.data))

    await eventually(is_gone)


def is_alive(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


async def test_outcome_has_the_usage(sandbox: SubprocessSandbox, output: Collected) -> None:
    outcome = await run(
        sandbox, PythonCode("import time\nb = b'x' * 80_000_000\nwhile time.process_time() < 0.2: pass"), output
    )
    assert outcome.usage.cpu_seconds >= 0.2
    assert outcome.usage.max_rss_kb >= 80_000


async def test_run_dies_when_its_caller_is_cancelled(
    sandbox: SubprocessSandbox, output: Collected, tmp_path: Path
) -> None:
    attempt = asyncio.create_task(run(sandbox, Script("echo $$; sleep 300"), output))
    await output.until(b"\n")
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    with pytest.raises(ProcessLookupError):
        os.kill(int(output.data), 0)
    assert list((tmp_path / "runs").glob("*/run-*")) == []


async def test_run_raises_when_its_output_callback_raises(sandbox: SubprocessSandbox) -> None:
    async def refuse(chunk: bytes) -> None:
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError, match="away"):
        await sandbox.run(Spec(Script("echo x; sleep 300")), refuse, NEVER())


async def test_stop_kills_commands(sandbox: SubprocessSandbox, output: Collected) -> None:
    attempt = asyncio.create_task(run(sandbox, Script("echo x; sleep 300"), output))
    await output.until(b"x")
    await sandbox.stop()
    with pytest.raises(SandboxError):
        await attempt


async def test_start_removes_directories_of_killed_processes(tmp_path: Path) -> None:
    (tmp_path / "runs" / "service-0123" / "run-0123" / "deep").mkdir(parents=True)
    sandbox = SubprocessSandbox(tmp_path / "runs")
    await sandbox.start()
    assert not (tmp_path / "runs" / "service-0123").exists()
    await sandbox.stop()


async def test_start_keeps_directories_of_living_processes(
    sandbox: SubprocessSandbox, output: Collected, tmp_path: Path
) -> None:
    cancel = asyncio.Event()
    attempt = asyncio.create_task(sandbox.run(Spec(Script("echo x; sleep 300; ")), output, cancel))
    await output.until(b"x")
    other = SubprocessSandbox(tmp_path / "runs")
    await other.start()
    assert len(list((tmp_path / "runs").glob("service-*/run-*"))) == 1
    cancel.set()
    await attempt
    await other.stop()
