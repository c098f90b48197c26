"""The system call filter of a job; see seccomp(2).

Every system call up to the newest that was reviewed is allowed, except for those in `syscall_table` and those whose
arguments a rule there refuses. Newer ones do not exist for a job (ENOSYS), so that an update of the kernel cannot open
a door; programs then fall back to what was there before.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from scheduler_service.sandbox.kernel import syscall_table as table
from scheduler_service.sandbox.kernel.call_program import CallProgram
from scheduler_service.sandbox.kernel.filter_program import ALLOW, FAIL, write_program
from scheduler_service.sandbox.kernel.syscall_table import ASK, ArgumentRule, Numbers, Test
from scheduler_service.sandbox.kernel.syscalls import MACHINES, Prctl, invoke, machine, prctl

_MODE_FILTER = 2
_SET_MODE_FILTER, _NEW_LISTENER, _WAIT_KILLABLE = 1, 1 << 3, 1 << 5
_CURRENT_DIRECTORY = 0xFFFF_FF9C  # AT_FDCWD
_REMOVE_DIRECTORY = 0x200  # AT_REMOVEDIR


class Sockets(StrEnum):
    """Who decides what a job's sockets may reach."""

    BROKERED = "brokered"  # the supervisor, at each call that names an address; see `socket_broker`
    PAIRED = "paired"  # nobody can: a job has pairs of connected sockets, and no others
    FREE = "free"  # nobody does: for tests, which show what the broker is good for


@dataclass(frozen=True, slots=True)
class Policy:
    """The parts of a filter that differ between jobs.

    `families` are the socket families of which the job makes sockets itself. `shared_ids` says that the job has the
    user id of the service, `namespaced` that it has process and IPC namespaces of its own, `own_files` that it has a
    file system of its own. `seen` are the ids of processes that it sees and does not own, though they have its user id.
    """

    families: tuple[int, ...]
    sockets: Sockets
    namespaced: bool
    shared_ids: bool
    own_files: bool
    seen: tuple[int, ...] = ()


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


@cache
def assemble(policy: Policy) -> bytes:
    """Return the filter for this processor."""
    answers: dict[int, int] = {}
    processor = MACHINES.index(machine())
    for calls, action in _denied(policy):
        for numbers in calls.values():
            answers.setdefault(numbers[processor], action)
    # The x32 calls have bit 30 set (__X32_SYSCALL_BIT), so they are beyond the newest, too.
    return write_program(answers, _rules(policy), beyond=table.NEWEST + 1)


class Filter:
    """A filter in the form that the kernel reads, made before the fork of the process that enforces it."""

    def __init__(self, program: bytes) -> None:
        self._address = ctypes.byref(_Program(len(program) // 8, program))
        self._call = CallProgram()
        self._call.add("seccomp", _SET_MODE_FILTER, _NEW_LISTENER | _WAIT_KILLABLE, self._address)

    def enforce(self) -> None:
        """Enforce the filter on this thread and all it will ever start. Needs no_new_privs."""
        prctl(Prctl.SET_SECCOMP, _MODE_FILTER, self._address)

    def enforce_with_listener(self, *, older: bool = True) -> int:
        """Enforce the filter as `enforce` does. Return the descriptor on which calls that it asks about are answered.

        Its holder can allow calls, so it must not stay with the job. Since Linux 5.19, only a deadly signal interrupts
        a call that is being answered. Before, the caller would repeat the call, and its effect would happen twice.
        Unless `older` is set, raise OSError on such kernels.
        """
        try:
            return self._call.run()
        except OSError:
            if not older:
                raise
            return invoke("seccomp", _SET_MODE_FILTER, _NEW_LISTENER, self._address)


def _denied(policy: Policy) -> Iterable[tuple[dict[str, Numbers], int]]:
    yield table.ADMINISTRATION, FAIL | errno.EPERM
    yield table.NAMESPACES_AND_MOUNTS, FAIL | errno.EPERM
    yield table.OTHER_PROCESSES, FAIL | errno.EPERM
    yield table.KERNEL_ATTACK_SURFACE, FAIL | errno.EPERM
    yield table.WITH_FALLBACK, FAIL | errno.ENOSYS
    if not policy.namespaced:
        yield table.PERSISTENT_IPC, FAIL | errno.ENOSYS
        yield table.EXTENDED_ATTRIBUTES, FAIL | errno.ENOTSUP
        yield table.FILE_WATCHES, FAIL | errno.ENOSYS  # `tail -f` then looks at its file now and then
    if policy.sockets is not Sockets.FREE:
        yield table.BROKERED_ADDRESSES, ASK if policy.sockets is Sockets.BROKERED else FAIL | errno.EPERM
    if policy.shared_ids:
        yield table.WITH_OLDER_FORM, FAIL | errno.ENOSYS
        yield table.BROKERED_FILE_CHANGES, ASK
    if not policy.own_files:
        yield table.OLD_TIME_CHANGES, FAIL | errno.EPERM
        yield table.BROKERED_TIME_CHANGES, ASK
        yield table.BROKERED_ALLOCATION, ASK


def _rules(policy: Policy) -> Iterable[ArgumentRule]:
    yield from table.COMMON_RULES
    yield from _SOCKET_RULES[policy.sockets](policy.families)
    if policy.shared_ids:
        yield from table.ITSELF_ONLY_RULES
    if policy.seen:
        # The kernel asks for the capabilities of such a process before each other change, but not for its limits.
        yield ArgumentRule(table.BROKERED_PROCESS_CHANGES["prlimit64"][0], 0, Test.NOT_AMONG, policy.seen)
    if not policy.own_files:
        yield from _asking_about_shared_memory()


def _asking_about_shared_memory() -> Iterable[ArgumentRule]:
    """Build rules that ask about calls that may name shared memory, and few others: asking takes ten times as long.

    shm_open(3), sem_open(3) and mkstemp(3) give an absolute path, and open files that must be new or no links.
    """
    calls = table.BROKERED_SHARED_MEMORY
    whole_path = (_CURRENT_DIRECTORY,)
    for name, place in (("openat", 0), ("unlinkat", 0), ("linkat", 0), ("linkat", 2)):
        yield ArgumentRule(calls[name], place, Test.AMONG, whole_path, ALLOW)
    for name, place in (("open", 1), ("openat", 2)):
        yield ArgumentRule(calls[name], place, Test.NO_BITS_OF, (os.O_DIRECTORY,), ALLOW)
        yield ArgumentRule(calls[name], place, Test.NO_BITS_OF, (os.O_EXCL | os.O_NOFOLLOW,), ASK)
    yield ArgumentRule(calls["unlinkat"], 2, Test.NO_BITS_OF, (_REMOVE_DIRECTORY,), ALLOW)
    for name in ("unlink", "unlinkat", "link", "linkat"):
        yield ArgumentRule(calls[name], 0, Test.AMONG, (), ASK)


def _rules_of_brokered_sockets(families: tuple[int, ...]) -> Iterable[ArgumentRule]:
    """Build rules that ask the supervisor about sockets that the job may not make, and about sends to an address."""
    yield ArgumentRule(table.SOCKET, 0, Test.AMONG, families, ASK)
    yield ArgumentRule(table.SOCKET, 1, Test.AMONG, table.USUAL_TYPES, ASK)
    yield ArgumentRule(table.SOCKET, 2, Test.AMONG, table.USUAL_PROTOCOLS, ASK)
    yield ArgumentRule(table.SENDTO, 4, Test.IS_ZERO, (), ASK)  # send(2) names no address
    yield ArgumentRule(table.SENDMSG, 0, Test.NEVER, (), ASK)
    yield ArgumentRule(table.SENDMMSG, 0, Test.NEVER, (), ASK)


def _rules_of_paired_sockets(families: tuple[int, ...]) -> Iterable[ArgumentRule]:
    yield ArgumentRule(table.SOCKET, 0, Test.AMONG, families)
    yield ArgumentRule(table.SOCKETPAIR, 1, Test.AMONG, table.CONNECTED_TYPES)  # no datagrams, which can be addressed


def _rules_of_free_sockets(families: tuple[int, ...]) -> Iterable[ArgumentRule]:
    yield ArgumentRule(table.SOCKET, 0, Test.AMONG, families)


_SOCKET_RULES = {
    Sockets.BROKERED: _rules_of_brokered_sockets,
    Sockets.PAIRED: _rules_of_paired_sockets,
    Sockets.FREE: _rules_of_free_sockets,
}
