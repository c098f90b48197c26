"""Memory of all processes of a run together, counted in up to three steps, each slower and more exact than the last.

1. The address space of the processes. A run whose address spaces fit into its limit needs no further step.
2. /proc/PID/status, which every process shows: private memory, in RAM or swapped out, page tables, and mappings whose
   pages may be somebody else's or nobody's yet.
3. /proc/PID/smaps_rollup, in which a page shared by n processes counts 1/n in each, and /proc/PID/maps for what no page
   table shows: the pages of a shared anonymous mapping stay when the process that wrote them has ended.

A process may be hidden from us (an executable that may not be read makes it so); then the second step has to do, and
what could be shared counts in full. A process whose first thread has ended shows no memory; another thread's does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from scheduler_service.sandbox.accounting.process_stats import Process
from scheduler_service.sandbox.kernel.syscalls import invoke

_KCMP_VM = 1  # kcmp(2): compares address spaces
_MAPPING_KB = 0.25  # struct vm_area_struct and its place in the tree
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
_TRIES, _PAUSE_SECONDS = 3, 0.005  # more than usually passes between vfork(2) and execve(2)
_ANONYMOUS = (b"/dev/zero (deleted)", b"/memfd:")
_PAUSE_FACTOR, _MAX_PAUSE_SECONDS = 50, 1.0  # an exact count is followed by a pause fifty times as long


@dataclass(slots=True)
class _Sum:
    """What was counted, in KiB. `shared` is shared memory that page tables show, `objects` the sizes of its objects."""

    private: float = 0.0
    shared: float = 0.0
    objects: dict[bytes, float] = field(default_factory=dict)

    def total(self, segments_kb: float) -> float:
        """Return the sum; of shared memory, page tables and objects show the same, and each may lack something."""
        return self.private + max(self.shared, sum(self.objects.values()) + segments_kb)


class MemoryUse:
    """Checks whether one run has more memory than `limit_kb`."""

    def __init__(self, limit_kb: int) -> None:
        self._limit_kb = limit_kb
        self._next_exact = 0.0

    def is_exceeded(self, processes: Sequence[Process], segments_kb: float, kernel_kb: float) -> bool:
        """Return whether the run has more than its limit.

        `segments_kb` is memory that processes may have attached, `kernel_kb` what the kernel holds for them besides.
        """
        limit_kb = self._limit_kb - kernel_kb
        if sum(process.virtual_kb for process in processes) + segments_kb <= limit_kb:
            return False
        if _upper_bound(processes) + segments_kb <= limit_kb:
            return False
        if sum(process.resident_kb for process in processes) <= limit_kb and time.monotonic() < self._next_exact:
            return False  # the exact count was within the limit a moment ago
        began = time.monotonic()
        exceeded = self._is_really_exceeded(processes, segments_kb, limit_kb)
        took = time.monotonic() - began
        self._next_exact = began + took + min(_MAX_PAUSE_SECONDS, took * _PAUSE_FACTOR)
        return exceeded

    def _is_really_exceeded(self, processes: Sequence[Process], segments_kb: float, limit_kb: float) -> bool:
        """Count exactly, up to `_TRIES` times.

        Between vfork(2) and execve(2) a child has its parent's memory, and both show it in full.
        """
        for _ in range(_TRIES):
            if _count(processes).total(segments_kb) <= limit_kb:
                return False
            time.sleep(_PAUSE_SECONDS)
        return True


def _upper_bound(processes: Iterable[Process]) -> float:
    total = 0.0
    for process in processes:
        with suppress(OSError):
            status = _status(process.memory_id)
            total += _private(status) + _others(status) + process.virtual_kb / _PAGE_KB * _MAPPING_KB
    return total


def _count(processes: Sequence[Process]) -> _Sum:
    counted = _Sum()
    by_pid = {process.pid: process for process in processes}
    for process in processes:
        parent = by_pid.get(process.parent)
        if parent is None or not _have_same_memory(process, parent):  # a child of vfork(2) or clone(CLONE_VM)
            with suppress(OSError):
                _add(counted, process)
    return counted


def _add(counted: _Sum, process: Process) -> None:
    status = _status(process.memory_id)
    try:
        rollup = _numbers(process.memory_id, "smaps_rollup")
        shared = rollup.get("Pss_Shmem", 0)
        counted.private += rollup["Pss"] - shared + rollup.get("SwapPss", 0) + status.get("VmPTE", 0)
        counted.shared += shared
        _add_objects(counted, process.memory_id)
    except (PermissionError, KeyError):  # hidden from us, so what could be shared counts in full
        counted.private += _private(status) + process.virtual_kb / _PAGE_KB * _MAPPING_KB
        counted.objects[b"%d" % process.pid] = _others(status)


def _add_objects(counted: _Sum, pid: int) -> None:
    with open(f"/proc/{pid}/maps", "rb") as file:
        lines = file.read().splitlines()
    counted.private += len(lines) * _MAPPING_KB
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) > 5 and fields[1].endswith(b"s") and fields[5].startswith(_ANONYMOUS):  # noqa: PLR2004 (the name)
            start, end = fields[0].split(b"-")
            key = fields[3] + fields[4] + fields[2]
            counted.objects[key] = max(counted.objects.get(key, 0), (int(end, 16) - int(start, 16)) / 1024)


def _private(status: dict[str, int]) -> int:
    return sum(status.get(name, 0) for name in ("RssAnon", "VmSwap", "VmPTE", "HugetlbPages"))


def _others(status: dict[str, int]) -> int:
    """Return the mappings that are neither private and writable nor program text: shared memory is among them."""
    return status.get("VmSize", 0) - sum(status.get(name, 0) for name in ("VmData", "VmStk", "VmExe", "VmLib"))


def _have_same_memory(process: Process, parent: Process) -> bool:
    if process.virtual_kb != parent.virtual_kb:
        return False
    try:
        return invoke("kcmp", process.memory_id, parent.memory_id, _KCMP_VM, 0, 0) == 0
    except OSError:  # a container may forbid it
        return False


def _status(pid: int) -> dict[str, int]:
    return _numbers(pid, "status")


def _numbers(pid: int, name: str) -> dict[str, int]:
    """Read the lines `Name: 123 kB` of a file of the process."""
    with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
        lines = [line.split() for line in file.read().splitlines()]
    return {words[0][:-1]: int(words[1]) for words in lines if words[-1:] == ["kB"]}
