"""The limits of a job: what the kernel keeps for each process, see setrlimit(2), and how much the whole may have."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass

from scheduler_service.sandbox.protocol import Terms
from scheduler_service.sandbox.root import most_private_bytes

INTERPRETER_MB = 64
"""What a run may have beyond its `memory_mb`: an interpreter does not count as the user's."""
_MB = 1 << 20
_OPEN_FILES = 1024
_STACK, _MOST_STACK = 8 * _MB, 64 * _MB
_SPARE_ADDRESSES = 4096 * _MB
"""Beyond memory_mb a process may reserve this much address space: threads and other runtimes do, and never fill it."""


@dataclass(frozen=True, slots=True)
class Footing:
    """What a process has before it runs anything: it shares most of this, a warm interpreter's, with others."""

    addresses: int
    data: int


def measure_footing() -> Footing:
    """Measure this process, in bytes; see proc_pid_statm(5)."""
    statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    pages = os.read(statm, 256).split()
    os.close(statm)
    return Footing(int(pages[0]) * resource.getpagesize(), int(pages[5]) * resource.getpagesize())


def limit_resources(terms: Terms, footing: Footing, existing_tasks: int) -> None:
    """Hold this process and its descendants to its terms, each process by itself.

    Memory is `footing` and `memory_mb` more. `existing_tasks` count against the job's user though they are not the
    job's.
    """
    memory = terms.memory_mb * _MB
    data, addresses = footing.data + memory, footing.addresses + memory + _SPARE_ADDRESSES
    tasks = existing_tasks + terms.processes
    for kind, soft, hard in (
        (resource.RLIMIT_DATA, data, data),
        (resource.RLIMIT_AS, addresses, addresses),
        (resource.RLIMIT_CPU, terms.cpu_seconds, terms.cpu_seconds + 1),
        (resource.RLIMIT_FSIZE, terms.disk_mb * _MB, terms.disk_mb * _MB),
        (resource.RLIMIT_NPROC, tasks, tasks),
        (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
        (resource.RLIMIT_STACK, _STACK, _MOST_STACK),
        (resource.RLIMIT_CORE, 1, 1),  # 0 would still start a core_pattern's program, as root, on the host
        (resource.RLIMIT_NICE, 0, 0),
        (resource.RLIMIT_RTPRIO, 0, 0),
        (resource.RLIMIT_MEMLOCK, _MB, _MB),
    ):
        resource.setrlimit(kind, (soft, hard))


def most_memory(terms: Terms) -> int:
    """Give the bytes that all processes of a run may have together, with the files that are kept in memory.

    Those the kernel counts alike, and a run that fills its directory and its shared memory does nothing wrong.
    """
    return (terms.memory_mb + INTERPRETER_MB) * _MB + most_private_bytes(terms.disk_mb)
