"""The process group of one command at level `none`: signals to it, and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress

from scheduler_service.sandbox.contract.spec import Usage
from scheduler_service.sandbox.runtime import leftovers


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to all processes of the group that `pid` leads."""
    with suppress(ProcessLookupError, PermissionError):  # all gone, or only processes of another user are left
        os.killpg(pid, number)


def wait_for_leftovers(group: int) -> int:
    """Return how many processes of the group keep running after its first."""
    return leftovers.wait_for_leftovers(lambda: (int(name) for name in os.listdir("/proc") if name.isdigit()), group)


async def kill_and_reap(process: subprocess.Popen[bytes], exited: asyncio.Task[None]) -> Usage:
    """Kill the whole group, then reap its first process. Until it is reaped, its id cannot be another group's."""
    signal_group(process.pid, signal.SIGKILL)
    await asyncio.wait([exited])
    _, status, usage = os.wait4(process.pid, 0)  # noqa: ASYNC222 (it has ended)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
