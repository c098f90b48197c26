"""The final report on a run: what the kernel counted, and which limit is behind the signal that ended the job.

The kernel tells a parent only the number of the signal. SIGKILL alone may be the hard limit of processor time, the
limit of the cgroup, a host without memory, or the job itself, so the counters of the kernel are compared.
"""

from __future__ import annotations

import mmap
import os
import signal

from scheduler_service.sandbox.accounting.children import Children
from scheduler_service.sandbox.accounting.resource_watch import EndReason
from scheduler_service.sandbox.contract.protocol import JobMessage, RunReport, Terms
from scheduler_service.sandbox.contract.spec import End, Usage
from scheduler_service.sandbox.kernel.cgroup import Cgroup
from scheduler_service.sandbox.kernel.oom import count_oom_kills
from scheduler_service.sandbox.runtime.python_end import STARVED


class ReportBuilder:
    """Builds the report on one run. `note` is the memory that `python_end` shares with the supervisor."""

    def __init__(self, cgroup: Cgroup | None, note: mmap.mmap, children: Children) -> None:
        self._cgroup = cgroup
        self._children = children
        self._note = note
        self._oom_kills = count_oom_kills()
        self.lost_seconds = 0.0
        """Processor time of processes that nobody waited for, by estimate; see `cpu_time`."""
        self.killed = 0
        """How many processes were still running after the main process had ended."""

    def forget_oom_kills(self) -> None:
        """Count only OOM kills from now on: those while the job lives are of other processes."""
        self._oom_kills = count_oom_kills()

    def build(self, reason: EndReason, terms: Terms, status: int | None, error: JobMessage) -> RunReport:
        """Build the report. `status` is that of the main process, from waitpid(2), if it has ended by itself."""
        usage = self._measure()
        if error.failure is not None:
            return RunReport(End.REJECTED, failure=error.failure)
        if error.rejection is not None:
            return RunReport(End.REJECTED, message=error.rejection)
        end, code, message = reason.end, -reason.signal, reason.message
        if end is End.EXITED:
            code = os.waitstatus_to_exitcode(status or 0)
            end, message = self._explain_exit(code, usage, terms)
        return RunReport(end, code, usage.cpu_seconds, usage.max_rss_kb, message, killed=self.killed)

    def _measure(self) -> Usage:
        used = self._children
        if self._cgroup is None:
            return Usage(used.cpu_seconds + self.lost_seconds, used.max_rss_kb)
        return Usage(self._cgroup.cpu_seconds(), max(used.max_rss_kb, self._cgroup.peak_kb()))

    def _explain_exit(self, code: int, usage: Usage, terms: Terms) -> tuple[End, str | None]:
        if code >= 0:
            return (End.OUT_OF_MEMORY if code and self._note[0] == STARVED else End.EXITED), None
        if self._cgroup is not None and self._cgroup.has_starved():
            return End.OUT_OF_MEMORY, None
        if code == -signal.SIGKILL and count_oom_kills() > self._oom_kills:
            return End.OUT_OF_MEMORY, "was killed by the kernel because the host or the container ran out of memory"
        used_up = usage.cpu_seconds >= terms.cpu_seconds
        # setrlimit(2): SIGXCPU at the soft limit of RLIMIT_CPU, SIGKILL at the hard one, a second later.
        if code == -signal.SIGXCPU or (code == -signal.SIGKILL and used_up):
            return End.CPU_LIMIT, None
        return End.SIGNALLED, None
