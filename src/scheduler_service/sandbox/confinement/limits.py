"""The resource limits of a job: those of each process, see setrlimit(2), and the memory of all together."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass

from scheduler_service.sandbox.confinement.root import max_private_bytes
from scheduler_service.sandbox.contract.protocol import Order, Terms
from scheduler_service.sandbox.contract.spec import OPEN_FILES

INTERPRETER_MB = 64
"""What a run may have beyond its `memory_mb`, because the interpreter does not count as the user's."""
_MB = 1 << 20
_STACK, _MAX_STACK = 8 * _MB, 64 * _MB
_SPARE_TASKS = 512  # for other runs of the same user that start meanwhile
_QUEUED_SIGNALS = 4096
_MESSAGE_QUEUE_BYTES = 819_200  # the kernel's default, MQ_BYTES_MAX; see mq_overview(7)
_SPARE_ADDRESSES = 4096 * _MB
"""Address space beyond memory_mb, which threads and other runtimes reserve and never fill."""


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


def limit_resources(order: Order, baseline: Baseline) -> None:
    """Limit this process and its descendants, each by itself. Memory is `memory_mb` beyond `baseline`.

    If the run may write to directories of the operator, a file may be larger than `disk_mb`, which still holds for all
    files of the run together.
    """
    terms = order.terms
    memory = terms.memory_mb * _MB
    data, addresses = baseline.data + memory, baseline.addresses + memory + _SPARE_ADDRESSES
    file_bytes = resource.RLIM_INFINITY if order.access.write else terms.disk_mb * _MB
    for kind, soft, hard in (
        (resource.RLIMIT_DATA, data, data),
        (resource.RLIMIT_AS, addresses, addresses),
        (resource.RLIMIT_CPU, terms.cpu_seconds, terms.cpu_seconds + 1),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
    ):
        _limit(kind, soft, hard)


def limit_user(terms: Terms, existing_tasks: int | None) -> None:
    """Limit what the kernel counts for the user of this process: tasks, queued signals, bytes of message queues.

    Since Linux 5.14 the kernel counts these for each user namespace, and checks the limits that a process had when it
    made its namespace against the count of the parent, which other runs share. So this comes after that step.

    Where the count is not the run's own, a limit of its size would let runs starve each other. There the supervisor of
    the run counts, and RLIMIT_NPROC is wide: it slows a fork bomb down until the supervisor has seen it. It is not set
    at all if `existing_tasks` is None: processes in other containers, which are not seen here, may have the same user.
    """
    if existing_tasks is not None:
        tasks = existing_tasks + terms.processes + (_SPARE_TASKS if existing_tasks else 0)
        _limit(resource.RLIMIT_NPROC, tasks, tasks)
    if existing_tasks == 0:
        _limit(resource.RLIMIT_SIGPENDING, _QUEUED_SIGNALS, _QUEUED_SIGNALS)
        _limit(resource.RLIMIT_MSGQUEUE, _MESSAGE_QUEUE_BYTES, _MESSAGE_QUEUE_BYTES)


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
