"""The system call filter of a job: a BPF program; see seccomp(2) and the kernel's seccomp_filter.rst.

Every system call up to the newest that was reviewed is allowed, except for those in `syscall_table` and those whose
arguments a rule there refuses. Newer ones do not exist for a job (ENOSYS), so that an update of the kernel cannot open
a door; programs then fall back to what was there before.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from scheduler_service.sandbox import syscall_table as table
from scheduler_service.sandbox.syscall_table import ArgumentRule, Numbers, Test
from scheduler_service.sandbox.syscalls import MACHINES, Prctl, invoke, machine, prctl

ALLOW, FAIL, KILL_PROCESS, ASK = 0x7FFF_0000, 0x0005_0000, 0x8000_0000, 0x7FC0_0000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_MODE_FILTER = 2
_SET_MODE_FILTER, _NEW_LISTENER = 1, 1 << 3
_X32_BIT = 0x4000_0000


@dataclass(frozen=True, slots=True)
class Policy:
    """What the filter leaves to a job, beside what is the same for all.

    `families` are the socket families that may be used. `shared_ids` says that the job has the user id of the service,
    `namespaced` that it has process and IPC namespaces of its own.
    """

    families: tuple[int, ...]
    namespaced: bool
    shared_ids: bool


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


@cache
def assemble(policy: Policy) -> bytes:
    """Write the filter as BPF instructions (struct sock_filter) for this processor."""
    processor = MACHINES.index(machine())
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, table.ARCHITECTURES[machine()], 1, 0),
        _instruction(_RETURN, KILL_PROCESS),
        _instruction(_LOAD, _NUMBER),
        _instruction(_AT_LEAST, table.NEWEST + 1, 0, 1),  # with it the x32 calls, which have a high bit set
        _instruction(_RETURN, FAIL | errno.ENOSYS),
    ]
    for calls, action in _denied(policy):
        for numbers in calls.values():
            program += _answer(numbers[processor], action)
    for rule in _rules(policy):
        program += _judge(rule, processor)
    program.append(_instruction(_RETURN, ALLOW))
    return b"".join(program)


def enforce(program: bytes) -> None:
    """Hold this thread, and all it will ever start, to the filter; needs no_new_privs to be set."""
    prctl(Prctl.SET_SECCOMP, _MODE_FILTER, ctypes.byref(_Program(len(program) // 8, program)))


def enforce_with_listener(program: bytes) -> int:
    """Do as `enforce`; gives the descriptor on which calls that the filter asks about are answered.

    Whoever holds it can allow them, so it must not stay with the job.
    """
    return invoke("seccomp", _SET_MODE_FILTER, _NEW_LISTENER, ctypes.byref(_Program(len(program) // 8, program)))


def _denied(policy: Policy) -> Iterable[tuple[dict[str, Numbers], int]]:
    yield table.FOR_ADMINISTRATORS, FAIL | errno.EPERM
    yield table.OF_NAMESPACES_AND_MOUNTS, FAIL | errno.EPERM
    yield table.ON_OTHER_PROCESSES, FAIL | errno.EPERM
    yield table.OF_THE_KERNELS_SOFT_SPOTS, FAIL | errno.EPERM
    yield table.WITH_A_FALLBACK, FAIL | errno.ENOSYS
    if not policy.namespaced:
        yield table.THAT_OUTLIVE_A_RUN, FAIL | errno.ENOSYS
        yield table.THAT_CHANGE_ATTRIBUTES, FAIL | errno.EPERM
    if policy.shared_ids:
        yield table.THAT_CHANGE_OWNED_FILES, FAIL | errno.EPERM
        yield table.WITH_A_SIMPLER_FORM, FAIL | errno.ENOSYS
        yield table.THAT_A_WARDEN_DOES, ASK


def _rules(policy: Policy) -> Iterable[ArgumentRule]:
    yield ArgumentRule(table.SOCKET, 0, Test.AMONG, policy.families)
    yield from table.ALWAYS
    if not policy.namespaced:
        yield from table.ON_ITSELF_ONLY


def _answer(number: int, action: int) -> list[bytes]:
    if number < 0:
        return []
    return [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, action)]


def _judge(rule: ArgumentRule, processor: int) -> list[bytes]:
    """Test one argument; leaves the call's number loaded for the next rule, unless the call is refused."""
    refuse, go_on = _instruction(_RETURN, FAIL | errno.EPERM), _instruction(_LOAD, _NUMBER)
    load = _instruction(_LOAD, _ARGUMENTS + 8 * rule.argument)  # the lower half: both processors are little-endian
    tests = _tests(rule)
    body = [load, *tests, refuse, go_on]
    return [_instruction(_EQUAL, rule.numbers[processor], 0, len(body)), *body]


def _tests(rule: ArgumentRule) -> list[bytes]:
    """Jump over the refusal, which follows, if the argument passes."""
    count = len(rule.values)
    match rule.test:
        case Test.AMONG:
            return [_instruction(_EQUAL, value, count - place, 0) for place, value in enumerate(rule.values)]
        case Test.NOT_AMONG:
            to_refusal = [_instruction(_EQUAL, value, count - place, 0) for place, value in enumerate(rule.values)]
            return [*to_refusal, _instruction(_EQUAL, rule.values[0], 0, 1)]
        case Test.NO_BITS_OF:
            return [_instruction(_ANY_BIT, rule.values[0], 0, 1)]


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
