"""Holding a whole run to the limits that the kernel keeps for single processes only."""

from __future__ import annotations

import math
import os
import resource
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from scheduler_service.sandbox.census import Census, all_processes, descendants, measure_memory, take_census
from scheduler_service.sandbox.cgroup import Group
from scheduler_service.sandbox.confinement import Confinement
from scheduler_service.sandbox.disk_count import DiskCount
from scheduler_service.sandbox.layers import Layer
from scheduler_service.sandbox.limits import INTERPRETER_MB
from scheduler_service.sandbox.protocol import Terms
from scheduler_service.sandbox.spec import End

TICK_SECONDS = 0.1
"""How long a run may be beyond a limit of this kind before it is noticed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a run must end, with a sentence where `End` alone does not say it."""

    end: End
    message: str | None = None
    signal: int = 0


class Watch:
    """Looks at the run now and then; each look costs well under a millisecond for ordinary runs."""

    def __init__(
        self, terms: Terms, confinement: Confinement, group: Group | None, disk: DiskCount | None = None
    ) -> None:
        self._terms = terms
        self._layers = confinement.layers
        self._group = group
        self._disk = disk
        self._counts_tasks = group is None and confinement.existing_tasks != 0
        self._most_listed = 2 * terms.processes if self._counts_tasks else math.inf  # as many zombies as processes

    def look(self) -> Verdict | None:
        """Give the reason to end the run, or None."""
        pids = list_processes(self._layers, self._most_listed)
        census = take_census(pids)
        # First, for a fork bomb leaves no time for more. An ended process that nobody waits for is no process to the
        # user, but takes memory of the kernel all the same.
        if self._counts_tasks and max(census.tasks, census.zombies) > self._terms.processes:
            message = f"had more than {self._terms.processes} processes and threads"
            return Verdict(End.SIGNALLED, message, signal.SIGKILL)
        if self._cpu_seconds(census) > self._terms.cpu_seconds + 1:
            return Verdict(End.CPU_LIMIT)
        most_kb = (self._terms.memory_mb + INTERPRETER_MB) * 1024
        if census.resident_kb > most_kb and measure_memory(pids) > most_kb:
            return Verdict(End.OUT_OF_MEMORY)
        return self._look_at_disk(pids)

    def _cpu_seconds(self, census: Census) -> float:
        if self._group is not None:
            return self._group.cpu_seconds()
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return census.cpu_seconds + ended.ru_utime + ended.ru_stime

    def _look_at_disk(self, pids: Sequence[int]) -> Verdict | None:
        complaint = self._disk.look(pids) if self._disk else None
        return Verdict(End.SIGNALLED, complaint, signal.SIGXFSZ) if complaint else None


def list_processes(layers: frozenset[Layer], most: float = math.inf) -> list[int]:
    """Return the processes of the run that this process supervises, or some of them if there are more than `most`."""
    return all_processes() if Layer.PID_NAMESPACE in layers else descendants(os.getpid(), most)
