"""Memory that the kernel holds for a run outside of its processes' address spaces, in KiB.

A process can leave data with the kernel: in System V segments, queues and semaphores, in the buffers of sockets and
pipes, in what an epoll or a file lock consists of. No limit of a single process counts these, so they count as memory
of the run. The kernel shows the size of System V objects. It does not show how full a socket is, so each counts with
what it can hold, beyond a number that ordinary programs have.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

from scheduler_service.sandbox.accounting.held_files import threads_of
from scheduler_service.sandbox.accounting.process_stats import Process, has_memory

_FREE_SOCKETS, _FREE_PIPES, _FREE_LOCKS, _FREE_EPOLLS = 64, 64, 1024, 8
_PIPE_KB, _WATCH_KB, _LOCK_KB = 64, 0.2, 0.25  # a pipe's usual size; struct epitem; struct file_lock
_USUAL_SOCKET_BYTES = 212_992  # net.core.wmem_default: SO_SNDBUF is refused to jobs, so that none is larger
_MESSAGE_KB, _SEMAPHORE_KB, _SET_KB = (
    0.1,
    0.125,
    1,
)  # struct msg_msg, struct sem on a cache line of its own, struct msg_queue
_STANDARD_STREAMS = 3
_PAUSE_FACTOR, _MAX_PAUSE_SECONDS = 20, 1.0  # a measurement is followed by a pause twenty times as long
_MAX_FDINFO_BYTES, _TOO_MANY = 1 << 23, 1 << 24  # a line for each lock; reading millions would stall the supervisor


def segments_kb() -> float:
    """Return what the System V segments in the IPC namespace of this process take; see sysvipc in proc(5)."""
    return sum((int(fields[-2]) + int(fields[-1])) / 1024 + _SET_KB for fields in _rows("shm"))


def messages_kb() -> float:
    """Return what the System V queues and semaphores in the IPC namespace of this process take."""
    queues = sum(int(fields[3]) / 1024 + int(fields[4]) * _MESSAGE_KB + _SET_KB for fields in _rows("msg"))
    return queues + sum(int(fields[3]) * _SEMAPHORE_KB + _SET_KB for fields in _rows("sem"))


class Descriptors:
    """The memory behind the descriptors of one run, measured as often as the cost of a measurement allows."""

    def __init__(self) -> None:
        self._kb = 0.0
        self._full_look_at = self._next_look_at = 0.0

    def look(self, processes: Sequence[Process]) -> float:
        """Return the memory in KiB, from now or from the last measurement."""
        began = time.monotonic()
        if began < self._next_look_at:
            return self._kb
        # Sockets and pipes take descriptors, which are counted fast; file locks do not, but take time to make.
        if _may_hold_much(processes) or began - self._full_look_at > _MAX_PAUSE_SECONDS:
            self._kb = descriptors_kb(process.pid for process in processes)
            self._full_look_at = time.monotonic()
            took = self._full_look_at - began
            self._next_look_at = self._full_look_at + min(_MAX_PAUSE_SECONDS / 2, took * _PAUSE_FACTOR)
        return self._kb


def _may_hold_much(processes: Sequence[Process]) -> bool:
    most = _FREE_SOCKETS + _STANDARD_STREAMS * len(processes)
    for process in processes:
        with suppress(OSError):
            size = os.stat(f"/proc/{process.pid}/fd").st_size  # since Linux 6.2; before, it is 0
            most -= size * process.threads or _FREE_SOCKETS
    return most < 0


def descriptors_kb(pids: Iterable[int]) -> float:
    """Return the memory that the descriptors of the processes can hold. What several share counts once."""
    found = _Found()
    for pid in pids:
        for thread in threads_of(pid):  # each may have descriptors of its own
            with suppress(FileNotFoundError, ProcessLookupError):
                _add_descriptors(found, f"/proc/{pid}/task/{thread}", pid)
    return (
        max(0, len(found.sockets) + found.hidden - _FREE_SOCKETS) * _socket_kb()
        + max(0, len(found.pipes) - _FREE_PIPES) * _PIPE_KB
        + max(0, found.locks - _FREE_LOCKS) * _LOCK_KB
        + found.watches * _WATCH_KB
    )


@dataclass(slots=True)
class _Found:
    """Descriptors by kind: `hidden` ones may be sockets, `watches` are those that epolls may watch."""

    sockets: set[str] = field(default_factory=set)
    pipes: set[str] = field(default_factory=set)
    hidden: int = 0
    locks: int = 0
    watches: int = 0


def _add_descriptors(found: _Found, place: str, pid: int) -> None:
    try:
        descriptors = os.listdir(f"{place}/fd")
        epolls = 0
        for descriptor in descriptors:
            with suppress(FileNotFoundError):
                target = os.readlink(f"{place}/fd/{descriptor}")
                epolls += target == "anon_inode:[eventpoll]"
                _add_one(found, target, f"{place}/fdinfo/{descriptor}")
        found.watches += max(0, epolls - _FREE_EPOLLS) * len(descriptors)
    except PermissionError:
        found.hidden += _count_descriptors(pid)


def _add_one(found: _Found, target: str, fdinfo: str) -> None:
    if target.startswith("socket:"):
        found.sockets.add(target)
    elif target.startswith("pipe:"):
        found.pipes.add(target)
    elif target.startswith("/") and not target.startswith("/dev/"):
        found.locks += _count_locks(fdinfo)


def _count_locks(fdinfo: str) -> int:
    with open(fdinfo, "rb") as file:
        text = file.read(_MAX_FDINFO_BYTES)
    return text.count(b"lock:") if len(text) < _MAX_FDINFO_BYTES else _TOO_MANY


def _count_descriptors(pid: int) -> int:
    """Return how many descriptors a process may have that hides them; 0 if it is about to end."""
    if not has_memory(pid):
        return 0
    if size := os.stat(f"/proc/{pid}/fd").st_size:  # since Linux 6.2
        return size
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return int(file.read().partition("FDSize:")[2].split(maxsplit=1)[0])


@cache
def _socket_kb() -> float:
    with suppress(OSError, ValueError), open("/proc/sys/net/core/wmem_default", encoding="utf-8") as file:
        return int(file.read()) * 1.05 / 1024
    return _USUAL_SOCKET_BYTES * 1.05 / 1024


def _rows(kind: str) -> list[list[str]]:
    with open(f"/proc/sysvipc/{kind}", encoding="utf-8") as file:
        return [line.split() for line in file.read().splitlines()[1:]]
