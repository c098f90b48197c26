"""Counting what the processes of a run use together, which no limit of a single process can."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
_TICKS = os.sysconf("SC_CLK_TCK")
_STATE, _UTIME, _STIME, _CUTIME, _CSTIME, _THREADS, _RSS = 0, 11, 12, 13, 14, 17, 21  # proc_pid_stat(5), after the name


@dataclass(frozen=True, slots=True)
class Census:
    """What processes use: memory with what they share counted in each, and time with that of children waited for.

    `zombies` have ended and wait for their parent to ask; they are no `tasks`.
    """

    tasks: int = 0
    zombies: int = 0
    resident_kb: int = 0
    cpu_seconds: float = 0.0


def all_processes() -> list[int]:
    """Give the processes of our PID namespace but for its first, which is the warden."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def children_of(pid: int) -> list[int]:
    """Give the living children of `pid`, those it got as a subreaper included."""
    children: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                children += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return children


def descendants(pid: int, most: float = math.inf) -> list[int]:
    """Return the living descendants of `pid`; those that move about meanwhile may be missed.

    Stop once there are more than `most`: a fork bomb makes them faster than a walk would find them all.
    """
    found: list[int] = []
    pending = [pid]
    while pending and len(found) <= most:
        children = children_of(pending.pop())
        found += children
        pending += children
    return found


def take_census(pids: Iterable[int]) -> Census:
    """Add up what the processes use; those that have ended count for nothing."""
    tasks = zombies = resident = ticks = 0
    for pid in pids:
        with suppress(OSError, IndexError):
            fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            threads = int(fields[_THREADS])
            if fields[_STATE] == "Z" and threads == 1:  # with more, only its first thread has ended
                zombies += 1
            else:
                tasks += threads
            resident += int(fields[_RSS]) * _PAGE_KB
            ticks += sum(int(fields[place]) for place in (_UTIME, _STIME, _CUTIME, _CSTIME))
    return Census(tasks, zombies, resident, ticks / _TICKS)


def measure_memory(pids: Iterable[int]) -> int:
    """Add up the memory of the processes in kB, each page shared by n processes counting 1/n: exact, but slow."""
    total = 0
    for pid in pids:
        with suppress(OSError, IndexError):
            total += int(_read(f"/proc/{pid}/smaps_rollup").partition("Pss:")[2].split()[0])
    return total


def count_tasks_of_user(uid: int) -> int:
    """Count all threads of a user in this user namespace, as RLIMIT_NPROC does."""
    count = 0
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                count += len(os.listdir(f"/proc/{name}/task"))
    return count


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
