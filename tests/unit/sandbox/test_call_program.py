"""Programs of system calls make them in their order, and name the one that fails."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest

from scheduler_service.sandbox.kernel.call_program import CallProgram
from scheduler_service.sandbox.kernel.syscalls import AT_FDCWD

NEVER_OPEN = 1_000_000


def test_run_returns_the_result_of_the_last_call() -> None:
    program = CallProgram()
    memory = ctypes.create_string_buffer(16)
    program.add("getrandom", ctypes.byref(memory), 16, 0)
    program.add("openat", AT_FDCWD, os.devnull.encode(), os.O_RDONLY | os.O_CLOEXEC)
    opened = program.run()
    assert str(Path(f"/proc/self/fd/{opened}").readlink()) == os.devnull
    assert memory.raw != bytes(16)
    os.close(opened)


def test_run_stops_at_the_call_that_fails() -> None:
    kept = os.open(os.devnull, os.O_RDONLY)
    program = CallProgram()
    program.add("close", NEVER_OPEN)
    program.add("close", kept)
    with pytest.raises(OSError, match="close: Bad file descriptor") as raised:
        program.run()
    assert raised.value.errno == errno.EBADF
    os.close(kept)
