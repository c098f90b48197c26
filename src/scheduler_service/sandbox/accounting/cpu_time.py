"""Processor time of a whole run, with an estimate for processes that nobody waited for.

The kernel adds a child's processor time to its parent's when the parent waits for it. If the parent ignores SIGCHLD or
set SA_NOCLDWAIT, the kernel forgets the time, and where no cgroup counts, nothing else knows it. Then it is estimated
from samples: at each look, a process that was not there before and is running stands for the time since the last look.
Over many looks that comes to the true sum, whatever the processes do: one that lives a tenth of the time between looks
is seen at one of ten.

What was waited for is known exactly, and noise must not end a run that is within its limit. So of what the samples show
beyond what is known, only the part beyond four standard deviations counts, and all of it once a process is seen to
ignore SIGCHLD.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress

from scheduler_service.sandbox.accounting.children import Children
from scheduler_service.sandbox.accounting.process_stats import ProcessStats, running_share

_SUSPICIOUS_SECONDS = 0.25
_DEVIATIONS = 4  # one look in 30,000 exceeds that by chance
_TICK_SECONDS = 0.02  # /proc shows user and system time in hundredths, each rounded down
_SIGCHLD = 1 << 16  # bit 17 - 1 of a signal mask


class CpuTime:
    """Adds up the processor time of one run, look by look."""

    def __init__(self, children: Children) -> None:
        """`children` counts the processes of the run that were waited for."""
        self._children = children
        self._looked_at = time.monotonic()
        self._seen: dict[tuple[int, int], float] = {}
        self._ended = self._guessed = self._variance = self._excess = 0.0
        self._ignores_children = False
        self.lost_seconds = 0.0

    @property
    def is_suspicious(self) -> bool:
        """Whether time goes uncounted, so that more looks make the estimate better."""
        return self._excess > _SUSPICIOUS_SECONDS

    def look(self, stats: ProcessStats) -> float:
        """Return the processor time of the run so far, in seconds."""
        elapsed, self._looked_at = time.monotonic() - self._looked_at, time.monotonic()
        present = {(process.pid, process.started): process.own_seconds for process in stats.processes}
        for process in stats.processes:
            if process.is_running and (process.pid, process.started) not in self._seen:
                self._guess(elapsed * running_share(process) - process.own_seconds, elapsed)
        self._ended += sum(seconds for key, seconds in self._seen.items() if key not in present)
        self._seen = present
        known = self._children.cpu_seconds + stats.cpu_seconds
        self._excess = sum(present.values()) + self._ended + self._guessed - known - _TICK_SECONDS * len(present)
        self._ignores_children = self._ignores_children or (self.is_suspicious and _some_ignore_children(stats))
        noise = 0.0 if self._ignores_children else _DEVIATIONS * math.sqrt(self._variance)
        self.lost_seconds = max(self.lost_seconds, self._excess - noise)
        return known + self.lost_seconds

    def _guess(self, seconds: float, elapsed: float) -> None:
        if seconds > 0:
            self._guessed += seconds
            self._variance += elapsed**2


def _some_ignore_children(stats: ProcessStats) -> bool:
    for process in stats.processes:
        with suppress(OSError, ValueError), open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
            if int(file.read().partition("SigIgn:")[2].split(maxsplit=1)[0], 16) & _SIGCHLD:
                return True
    return False
