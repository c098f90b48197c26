"""The resource limits of a job: those of each process, see setrlimit(2), and the memory of all together."""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from dataclasses import dataclass

from scheduler_service.sandbox.confinement.root import max_private_bytes
from scheduler_service.sandbox.contract.access import NOTHING, Access
from scheduler_service.sandbox.contract.protocol import Terms
from scheduler_service.sandbox.contract.spec import OPEN_FILES
from scheduler_service.sandbox.kernel.call_program import CallProgram

INTERPRETER_MB = 64
"""What a run may have beyond its `memory_mb`, because the interpreter does not count as the user's."""
_MB = 1 << 20
_STACK, _MAX_STACK = 8 * _MB, 64 * _MB
_SPARE_TASKS = 512  # for other runs of the same user that start meanwhile
_QUEUED_SIGNALS = 4096
_MESSAGE_QUEUE_BYTES = 819_200  # the kernel's default, MQ_BYTES_MAX; see mq_overview(7)
_QUEUES = (_QUEUED_SIGNALS, _QUEUED_SIGNALS, _MESSAGE_QUEUE_BYTES, _MESSAGE_QUEUE_BYTES)
_SPARE_ADDRESSES = 4096 * _MB
"""Address space beyond memory_mb, which threads and other runtimes reserve and never fill."""
_INFINITY = 0xFFFF_FFFF_FFFF_FFFF  # RLIM64_INFINITY; Python has -1
_LIMITS = struct.Struct("=14Q")  # seven of struct rlimit64, each with a soft and a hard limit
_BYTES_OF_LIMIT = 16
_THIS_PROCESS = 0


@dataclass(frozen=True, slots=True)
class Baseline:
    """The bytes that a process has before it runs anything. It shares most of them with its zygote."""

    addresses: int
    data: int


def measure_baseline() -> Baseline:
    """Return the baseline of this process; see proc_pid_statm(5)."""
    statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    pages = os.read(statm, 256).split()
    os.close(statm)
    return Baseline(int(pages[0]) * resource.getpagesize(), int(pages[5]) * resource.getpagesize())


def allow_many_open_files() -> None:
    """Allow this process as many open files as it may ask for: a directory stays open for each granted path."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def limit_alike() -> None:
    """Limit this process and its descendants, each by itself, in what all jobs may have alike."""
    for kind, soft, hard in (
        (resource.RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES),
        (resource.RLIMIT_STACK, _STACK, _MAX_STACK),
        (resource.RLIMIT_CORE, 1, 1),  # 0 would still start a core_pattern's program, as root, on the host
        (resource.RLIMIT_NICE, 0, 0),
        (resource.RLIMIT_RTPRIO, 0, 0),
        (resource.RLIMIT_MEMLOCK, _MB, _MB),
    ):
        _limit(kind, soft, hard)


class OrderLimits:
    """The limits that depend on the order: written into memory after the fork, and set by a program made before it.

    `tasks` is how many tasks the kernel counts together with the job's; None if unknown.
    """

    _EACH = (resource.RLIMIT_DATA, resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)
    _OF_USER = (resource.RLIMIT_NPROC, resource.RLIMIT_SIGPENDING, resource.RLIMIT_MSGQUEUE)

    def __init__(self, baseline: Baseline, tasks: int | None) -> None:
        self._data, self._addresses = baseline.data, baseline.addresses + _SPARE_ADDRESSES
        self._tasks = tasks
        self._other_tasks = tasks + _SPARE_TASKS if tasks else 0
        kinds = (*self._EACH, *self._OF_USER)
        self._memory = ctypes.create_string_buffer(_LIMITS.size)
        highest = [resource.getrlimit(kind)[1] & _INFINITY for kind in kinds]
        self._highest = [one for one in highest for _ in range(2)]

    def set_each(self, program: CallProgram) -> None:
        """Add calls that limit the process and its descendants, each by itself."""
        self._add(program, self._EACH, 0)

    def set_of_user(self, program: CallProgram) -> None:
        """Add calls that limit what the kernel counts for the user: tasks, queued signals, bytes of message queues.

        Since Linux 5.14 the kernel counts these for each user namespace, and checks the limits that a process had when
        it made its namespace against the count of the parent, which other runs share. So this comes after that step.

        Where the count is not the run's own, a limit of its size would let runs starve each other. There the supervisor
        of the run counts, and RLIMIT_NPROC is wide: it slows a fork bomb down until the supervisor has seen it. It is
        not set at all if the number of tasks is unknown: processes in other containers may have the same user.
        """
        count = 0 if self._tasks is None else 1 if self._tasks else len(self._OF_USER)
        self._add(program, self._OF_USER[:count], len(self._EACH))

    def write(self, access: Access, terms: Terms) -> None:
        """Write the limits of an order. Memory is `memory_mb` beyond the baseline.

        If the run may write to directories of the operator, a file may be larger than `disk_mb`, which still holds for
        all files of the run together.
        """
        _, _, memory_mb, seconds, processes, disk_mb, _, _ = terms
        data = self._data + memory_mb * _MB
        addresses = self._addresses + memory_mb * _MB
        file_bytes = _INFINITY if access is not NOTHING and access.write else disk_mb * _MB
        tasks = self._other_tasks + processes
        # After the soft limit of processor time, the job has one more second to handle SIGXCPU.
        pairs = (data, data, addresses, addresses, seconds, seconds + 1, file_bytes, file_bytes)
        of_user = (tasks, tasks, *_QUEUES)
        # The operator's limit stays if it is lower: without privileges it cannot be raised (setrlimit(2)).
        _LIMITS.pack_into(self._memory, 0, *map(min, pairs + of_user, self._highest))

    def _add(self, program: CallProgram, kinds: tuple[int, ...], first: int) -> None:
        for number, kind in enumerate(kinds, first):
            address = ctypes.byref(self._memory, number * _BYTES_OF_LIMIT)
            program.add("prlimit64", _THIS_PROCESS, kind, address)


def max_memory_bytes(terms: Terms) -> int:
    """Return the bytes that all processes of a run may have together, with its files that are kept in memory.

    A cgroup counts such files as memory, and a run may fill its directory and its shared memory.
    """
    return (terms.memory_mb + INTERPRETER_MB) * _MB + max_private_bytes(terms.disk_mb)


def _limit(kind: int, soft: int, hard: int) -> None:
    """Set a limit, or keep the operator's if that is lower: without privileges it cannot be raised (setrlimit(2))."""
    highest = resource.getrlimit(kind)[1]
    if highest != resource.RLIM_INFINITY:
        soft, hard = min(soft, highest), min(hard, highest)
    resource.setrlimit(kind, (soft, hard))
