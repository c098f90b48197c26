"""The ended processes that a supervisor waits for, and what they have used.

RUSAGE_CHILDREN of getrusage(2) cannot tell this: a supervisor outlasts its runs, and one of its children, the spawner,
belongs to no run.
"""

from __future__ import annotations

import os


class Children:
    """Waits for the children of this process, and adds up what those of one run have used.

    `spawner` is the id of the child that is no part of the run; 0 if there is none.
    """

    def __init__(self, spawner: int = 0) -> None:
        self.spawner = spawner
        self.cpu_seconds = 0.0
        self.max_rss_kb = 0
        self.reaped = 0
        """How many have ended, without the main process of the run if its spawner has waited for it."""

    def reap(self, options: int = 0) -> tuple[int, int] | None:
        """Wait for any child. Return its pid and status; (0, 0) with WNOHANG if none has ended; None if none exists."""
        try:
            pid, status, used = os.wait4(-1, options)
        except ChildProcessError:
            return None
        if pid not in {0, self.spawner}:
            self.reaped += 1
            self.add(used.ru_utime + used.ru_stime, used.ru_maxrss)
        return pid, status

    def add(self, cpu_seconds: float, max_rss_kb: int) -> None:
        """Count what a process of the run has used, with all that it waited for itself."""
        self.cpu_seconds += cpu_seconds
        self.max_rss_kb = max(self.max_rss_kb, max_rss_kb)
