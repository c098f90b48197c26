"""System calls that are written down before a fork and made after it, by one loop.

Theory of operation. The process of a job shares its memory with the one that forked it. The kernel copies each page at
the first write to it, and CPython writes a reference count into each object that it reads. A step of the confinement
in ordinary Python reads dozens of objects: functions, modules, names, numbers. So the process that forks writes the
steps down as a `CallProgram`: a tuple of a number and arguments for each call, all made at once, so that they lie
together. After the fork, the loop in `run` reads these tuples and one function of libc.

What is known only after the fork is written into memory whose address is an argument, such as that of a limit.
"""

from __future__ import annotations

import ctypes
import os

from scheduler_service.sandbox.kernel.syscalls import number_of

# Without declared types of arguments, ctypes takes an integer as C's `int` and a `byref` as it is. Nothing is converted
# by Python code.
_call = ctypes.CDLL(None, use_errno=True).syscall
_call.restype = ctypes.c_long
_UNUSED = (0, 0, 0, 0, 0, 0)
_FIRST_AFTER_STDIO, _LAST = 3, 0xFFFF_FFFF


class CallProgram:
    """A list of system calls, made in its order."""

    def __init__(self) -> None:
        self._calls: list[tuple[object, ...]] = []
        self._names: list[str] = []
        self._memory: list[ctypes.Array[ctypes.c_char]] = []

    def add(self, name: str, *arguments: object) -> None:
        """Append a call. Arguments are numbers of 32 bits, bytes, or what `ctypes.byref` returns."""
        words = [self._prepared(argument) for argument in arguments]
        self._calls.append((number_of(name), *words, *_UNUSED[len(words) :]))
        self._names.append(name)

    def run(self) -> int:
        """Make all calls, and return the result of the last one.

        Raise OSError for the first that fails; those after it are not made.
        """
        call, result = _call, 0
        for arguments in self._calls:
            result = call(*arguments)
            if result < 0:
                code = ctypes.get_errno()
                raise OSError(code, f"{self._names[self._calls.index(arguments)]}: {os.strerror(code)}")
        return result

    def _prepared(self, argument: object) -> object:
        if isinstance(argument, int):
            return int(argument)  # not a member of an enumeration
        if not isinstance(argument, bytes):
            return argument
        self._memory.append(ctypes.create_string_buffer(argument))
        return ctypes.byref(self._memory[-1])


def add_closing_of_descriptors(program: CallProgram, kept: int) -> None:
    """Close every descriptor except standard input, output and error, and `kept`; see close_range(2)."""
    if kept > _FIRST_AFTER_STDIO:
        program.add("close_range", _FIRST_AFTER_STDIO, kept - 1, 0)
    program.add("close_range", kept + 1, _LAST, 0)


def add_drop_of_capabilities(program: CallProgram) -> None:
    """Drop every capability of the process; see capset(2)."""
    version_3 = (0x2008_0522).to_bytes(4, "little") + bytes(4)
    program.add("capset", version_3, bytes(24))
