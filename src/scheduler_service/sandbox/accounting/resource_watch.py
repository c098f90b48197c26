"""The limits of a whole run, checked from time to time where the kernel keeps them for single processes only.

Without a cgroup, nothing in the kernel adds up what the processes of a run use. So the supervisor adds it up at each
look, and ends a run that is beyond a limit. Between two looks a run may exceed it.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

from scheduler_service.sandbox.accounting.children import Children
from scheduler_service.sandbox.accounting.cpu_time import CpuTime
from scheduler_service.sandbox.accounting.disk_count import DiskCount
from scheduler_service.sandbox.accounting.kernel_objects import Descriptors, messages_kb, segments_kb
from scheduler_service.sandbox.accounting.memory_use import MemoryUse
from scheduler_service.sandbox.accounting.process_stats import (
    ProcessStats,
    all_processes,
    descendants,
    read_process_stats,
)
from scheduler_service.sandbox.confinement.cell import Confinement
from scheduler_service.sandbox.confinement.limits import INTERPRETER_MB
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.protocol import Terms
from scheduler_service.sandbox.contract.spec import End
from scheduler_service.sandbox.kernel.cgroup import Cgroup
from scheduler_service.sandbox.kernel.identity import acting_as

TICK_SECONDS = 0.1
"""How long a run may be beyond a limit of this kind before it is noticed."""

_SHORT_TICK_SECONDS = 0.02  # while processor time goes uncounted, see `cpu_time`
_PAUSE_FACTOR, _MAX_PAUSE_SECONDS = 4, 0.5  # a slow look is followed by a pause four times as long


@dataclass(frozen=True, slots=True)
class EndReason:
    """Why a run is over. `message` is set if `end` alone does not explain it, `signal` for SIGNALLED."""

    end: End
    message: str | None = None
    signal: int = 0


class ResourceWatch:
    """Checks what one run uses. A check takes well under a millisecond for ordinary runs."""

    def __init__(
        self,
        terms: Terms,
        confinement: Confinement,
        cgroup: Cgroup | None,
        children: Children,
        disk: DiskCount | None = None,
    ) -> None:
        self._terms = terms
        self._layers = confinement.layers
        self._cgroup = cgroup
        self._children = children
        self._disk = disk
        # In a PID namespace, root of the zygote may look into all processes. Root in a container may lack that right.
        self._user = None if Layer.PID_NAMESPACE in self._layers else confinement.other_user
        self._took_seconds = 0.0
        self._cpu = CpuTime(children)
        self._descriptors = Descriptors()
        self._memory = MemoryUse((terms.memory_mb + INTERPRETER_MB) * 1024)
        self._counts_tasks = cgroup is None and confinement.existing_tasks != 0
        # The limit holds for tasks and for zombies, each by itself.
        self._max_listed = 2 * terms.processes if self._counts_tasks else math.inf

    @property
    def pause_seconds(self) -> float:
        """How long to wait until the next look. Longer if looks take long, which a run may cause on purpose."""
        tick = _SHORT_TICK_SECONDS if self._cpu.is_suspicious else TICK_SECONDS
        return max(tick, min(_MAX_PAUSE_SECONDS, _PAUSE_FACTOR * self._took_seconds))

    @property
    def lost_seconds(self) -> float:
        """Processor time of processes that nobody waited for, by estimate; see `cpu_time`."""
        return self._cpu.lost_seconds

    def look(self) -> EndReason | None:
        """Return the reason to end the run, or None."""
        began = time.monotonic()
        verdict = self._look()
        self._took_seconds = time.monotonic() - began
        return verdict

    def _look(self) -> EndReason | None:
        pids = list_processes(self._layers, self._children, self._max_listed)
        stats = read_process_stats(pids)
        # The number comes first, because a fork bomb leaves no time for more. A zombie is no process to the user, but
        # it takes memory of the kernel and a process id all the same.
        if self._counts_tasks and max(stats.tasks, stats.zombies) > self._terms.processes:
            message = f"had more than {self._terms.processes} processes and threads"
            return EndReason(End.SIGNALLED, message, signal.SIGKILL)
        # One second more than RLIMIT_CPU, so that an ordinary job gets SIGXCPU, and then SIGKILL, from the kernel.
        if self._cpu_seconds(stats) > self._terms.cpu_seconds + 1:
            return EndReason(End.CPU_LIMIT)
        with acting_as(self._user):
            if self._is_out_of_memory(stats):
                return EndReason(End.OUT_OF_MEMORY)
        return self._look_at_disk(pids)

    def _is_out_of_memory(self, stats: ProcessStats) -> bool:
        has_ipc = Layer.IPC_NAMESPACE in self._layers
        kernel_kb = self._descriptors.look(stats.processes) + (messages_kb() if has_ipc else 0)
        return self._memory.is_exceeded(stats.processes, segments_kb() if has_ipc else 0, kernel_kb)

    def _cpu_seconds(self, stats: ProcessStats) -> float:
        return self._cpu.look(stats) if self._cgroup is None else self._cgroup.cpu_seconds()

    def _look_at_disk(self, pids: Sequence[int]) -> EndReason | None:
        complaint = self._disk.look(pids) if self._disk else None
        return EndReason(End.SIGNALLED, complaint, signal.SIGXFSZ) if complaint else None


def list_processes(layers: frozenset[Layer], children: Children, limit: float = math.inf) -> list[int]:
    """Return the processes of the run that this process supervises. Beyond `limit`, some may be missing."""
    found = all_processes() if Layer.PID_NAMESPACE in layers else descendants(os.getpid(), limit)
    return [pid for pid in found if pid != children.spawner]
