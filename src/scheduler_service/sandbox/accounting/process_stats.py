"""The processes of a run as /proc shows them, added up: no limit of a single process can count them together.

A listing is never exact, because processes come and go while it is read. So a process that vanishes is left out, and
a caller that needs certainty must read again.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from scheduler_service.sandbox.kernel.proc_files import read_proc

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
_TICKS = os.sysconf("SC_CLK_TCK")
# Fields of proc_pid_stat(5), counted after the name: a process may put spaces and brackets into its name.
_STATE, _PARENT, _UTIME, _STIME, _CUTIME, _CSTIME, _THREADS = 0, 1, 11, 12, 13, 14, 17
_STARTED, _VIRTUAL, _RESIDENT = 19, 20, 21


@dataclass(frozen=True, slots=True)
class Process:
    """One process as /proc/PID/stat shows it.

    `memory_id` is the thread whose files in /proc show the memory: those of a first thread that has ended are empty.
    `waited_seconds` is the processor time of children that have ended and were waited for.
    """

    pid: int
    parent: int
    threads: int
    is_zombie: bool
    is_running: bool
    started: int
    own_seconds: float
    waited_seconds: float
    virtual_kb: int
    resident_kb: int
    memory_id: int


@dataclass(frozen=True, slots=True)
class ProcessStats:
    """The processes of a run. `zombies` have ended and were not waited for by their parent; they are no `tasks`."""

    processes: tuple[Process, ...] = ()

    @property
    def tasks(self) -> int:
        """The number of living processes and threads."""
        return sum(process.threads for process in self.processes if not process.is_zombie)

    @property
    def zombies(self) -> int:
        """The number of processes that have ended."""
        return sum(process.is_zombie for process in self.processes)

    @property
    def cpu_seconds(self) -> float:
        """The processor time of the processes and of their children that were waited for."""
        return sum(process.own_seconds + process.waited_seconds for process in self.processes)


def all_processes() -> list[int]:
    """Return the processes of our PID namespace without its first, which is the supervisor."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def children_of(pid: int) -> list[int]:
    """Return the children of `pid` that have not been waited for, with those it got as a subreaper."""
    children: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                children += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return children


def descendants(pid: int, limit: float = math.inf) -> list[int]:
    """Return the descendants of `pid`. One whose parent ends meanwhile may be missed.

    Stop once there are more than `limit`: a fork bomb makes processes faster than a walk finds them.
    """
    found: list[int] = []
    pending = [pid]
    while pending and len(found) <= limit:
        children = children_of(pending.pop())
        found += children
        pending += children
    return found


def read_process_stats(pids: Iterable[int]) -> ProcessStats:
    """Return what the processes use, without those that are gone by now."""
    found = []
    for pid in pids:
        with suppress(OSError, IndexError):
            found.append(_read_process(pid))
    return ProcessStats(tuple(found))


def _read_process(pid: int) -> Process:
    fields = _stat(f"/proc/{pid}/stat")
    threads, memory_id = int(fields[_THREADS]), pid
    state = memory = fields
    # When the first thread ends before the others, the kernel shows the process as a zombie without memory, though it
    # runs. Another thread then tells its state and its memory.
    if fields[_STATE] == "Z" and threads > 1:
        memory_id = next((thread for thread in _threads(pid) if _state(pid, thread) != "Z"), pid)
        state, memory = _stat(f"/proc/{pid}/task/{memory_id}/stat"), _stat(f"/proc/{memory_id}/stat")
    return Process(
        pid=pid,
        parent=int(fields[_PARENT]),
        threads=threads,
        is_zombie=state[_STATE] in "ZX",
        is_running=state[_STATE] == "R" or threads > 1,
        started=int(fields[_STARTED]),
        own_seconds=(int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS,
        waited_seconds=(int(fields[_CUTIME]) + int(fields[_CSTIME])) / _TICKS,
        virtual_kb=int(memory[_VIRTUAL]) // 1024,
        resident_kb=int(memory[_RESIDENT]) * _PAGE_KB,
        memory_id=memory_id,
    )


def has_memory(pid: int) -> bool:
    """Return whether the process has memory. One that is about to end has none, and its files may be hidden."""
    with suppress(OSError):
        for thread in _threads(pid):
            with suppress(OSError):
                if not _read(f"/proc/{pid}/task/{thread}/statm").startswith("0 "):
                    return True
    return False


def running_share(process: Process) -> float:
    """Return how many processors the process uses: for each runnable thread, the share of time that it really ran.

    The fields of schedstat are the time on a processor and the time in the run queue (sched-stats.rst).
    """
    total = 0.0
    with suppress(OSError):  # it may end at any moment
        for thread in _threads(process.pid):
            with suppress(OSError, IndexError):
                if _state(process.pid, thread) == "R":
                    total += _share(process.pid, thread)
    return total


def _share(pid: int, thread: int) -> float:
    try:
        ran, waited = map(int, _read(f"/proc/{pid}/task/{thread}/schedstat").split()[:2])
    except (FileNotFoundError, ValueError):  # a kernel without CONFIG_SCHED_INFO
        return 1.0
    return ran / (ran + waited) if ran else 1.0


def _threads(pid: int) -> list[int]:
    return list(map(int, os.listdir(f"/proc/{pid}/task")))


def _state(pid: int, thread: int) -> str:
    return _stat(f"/proc/{pid}/task/{thread}/stat")[_STATE]


def _stat(path: str) -> list[str]:
    return _read(path).rpartition(")")[2].split()


def count_tasks_of_user(uid: int) -> int:
    """Count all threads of a user in this user namespace, as RLIMIT_NPROC does."""
    count = 0
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                count += len(os.listdir(f"/proc/{name}/task"))
    return count


def _read(path: str) -> str:
    return read_proc(path).decode(errors="replace")
