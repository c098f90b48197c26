"""A supervisor takes one run after the other as long as each leaves nothing behind; no run knows of an earlier one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest
from testkit.programs import processes_with
from testkit.waiting import wait_until
from tests.sandbox.levels import sandbox

from scheduler_service.sandbox import Command, End, Level, Outcome, PythonCode, Script, Spec, ZygoteSandbox
from scheduler_service.sandbox.accounting.process_stats import children_of
from scheduler_service.sandbox.runtime.spotless import State

__all__ = ["sandbox"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
RUNS = 4
"""More than there are supervisors, so that one has an earlier run."""
CLONE_PARENT = 0x8000
ORPHAN = "import os, time\nif os.fork() == 0:\n    os.setsid(); [os.close(n) for n in (0, 1, 2)]; time.sleep(300)\n"
SIBLING = f"""import ctypes, os, time
number = {{"x86_64": 56, "aarch64": 220}}[os.uname().machine]
if ctypes.CDLL(None).syscall(number, {CLONE_PARENT} | 17, 0, 0, 0, 0) == 0:
    [os.close(n) for n in (0, 1, 2)]; time.sleep(300)
"""
SEARCH = """flip = bytes(i ^ 90 for i in range(256))
wanted, found, searched = bytes.fromhex({wanted!r}), 0, 0
memory = open('/proc/self/mem', 'rb', 0)
for line in open('/proc/self/maps').read().splitlines():
    first, last = (int(x, 16) for x in line.split()[0].split('-'))
    if ' rw' in line and last - first < 1 << 28:
        try: memory.seek(first); part = memory.read(last - first)
        except (OSError, ValueError): continue
        searched += len(part); found += part.translate(flip).count(wanted)
print('FOUND', found, searched > 1 << 20)
"""
DESCRIPTORS = """#!/usr/bin/env python3
import os
def is_open(n):
    try: return bool(os.fstat(n))
    except OSError: return False
print([n for n in range(100) if is_open(n)])
"""


async def run(sandbox: ZygoteSandbox, command: Command, **rest: object) -> tuple[Outcome, str]:
    output = bytearray()

    async def take(chunk: bytes) -> None:
        output.extend(chunk)

    outcome = await sandbox.run(Spec(command, **rest), take, asyncio.Event())  # type: ignore[arg-type]
    if outcome.collected is not None:
        outcome.collected.close()
    return outcome, output.decode()


def supervisors(sandbox: ZygoteSandbox) -> set[int]:
    """The supervisors of the default environment."""
    pid = sandbox._environments["default"].pid
    assert pid is not None
    return set(children_of(pid))


async def test_supervisors_stay_when_runs_leave_nothing(sandbox: ZygoteSandbox) -> None:
    await run(sandbox, PythonCode("pass"))
    before = supervisors(sandbox)
    for _ in range(RUNS):
        outcome, _ = await run(sandbox, PythonCode("import subprocess; subprocess.run(['true'])"), collects=True)
        assert outcome.exit_code == 0
    assert supervisors(sandbox) == before


@pytest.mark.parametrize("code", [ORPHAN, SIBLING], ids=["orphan", "sibling"])
async def test_supervisor_goes_when_a_process_is_left(sandbox: ZygoteSandbox, code: str) -> None:
    await run(sandbox, PythonCode("pass"))
    before, marker = supervisors(sandbox), os.urandom(8).hex()
    outcome, _ = await run(sandbox, PythonCode(code), env={"MARKER": marker})
    assert outcome.end is End.EXITED
    assert outcome.message is not None
    assert "killed 1 background process" in outcome.message
    assert processes_with(f"MARKER={marker}") == []
    await asyncio.to_thread(wait_until, lambda: len(supervisors(sandbox) & before) == len(before) - 1, 10)
    await asyncio.to_thread(wait_until, lambda: len(supervisors(sandbox)) == len(before), 10)  # and no zombies


async def test_each_run_has_the_same_process_ids_at_strict(sandbox: ZygoteSandbox) -> None:
    if sandbox.isolation.level is not Level.STRICT:
        pytest.skip("at `standard` all processes of the host share their ids")
    outputs = {
        (await run(sandbox, Script("echo $$; true & echo $!; wait; ls /proc | grep -c '^[0-9]'")))[1]
        for _ in range(RUNS)
    }
    assert len(outputs) == 1


async def test_memory_holds_nothing_of_earlier_runs(sandbox: ZygoteSandbox) -> None:
    secret = os.urandom(16).hex()
    leave = f"open('artifacts/{secret}', 'w').write({secret!r} * 100); open('result.json', 'w').write('{secret}')"
    for _ in range(RUNS):
        await run(sandbox, PythonCode(leave), env={"SECRET": secret}, collects=True)
    search = SEARCH.format(wanted=bytes(byte ^ 90 for byte in secret.encode()).hex())
    for _ in range(RUNS):
        _, output = await run(sandbox, PythonCode(search))
        assert output == "FOUND 0 True\n"


async def test_programs_inherit_no_descriptors(sandbox: ZygoteSandbox) -> None:
    for _ in range(RUNS):
        _, output = await run(sandbox, Script(DESCRIPTORS))
        assert output == "[0, 1, 2]\n"


async def test_state_shows_what_a_job_changed_of_a_process(sandbox: ZygoteSandbox) -> None:
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    state = State([other.pid], shares_user=True)
    assert state.is_unchanged(0)
    os.setpriority(os.PRIO_PROCESS, other.pid, os.getpriority(os.PRIO_PROCESS, other.pid) + 1)
    assert not state.is_unchanged(0)
    other.send_signal(signal.SIGKILL)
    await other.wait()
