"""Memory that the kernel holds for a run outside of its processes' address spaces, in kB.

A process can leave data with the kernel: in System V segments, queues and semaphores, in the buffers of sockets and
pipes, in what an epoll or a file lock consists of. No limit of a single process counts these, so they count as memory
of the run. The kernel shows the size of System V objects. It does not show how full a socket is, so each counts with
what it can hold, beyond a number that ordinary programs have.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

from scheduler_service.sandbox.census import has_memory
from scheduler_service.sandbox.held_files import threads_of

_FREE_SOCKETS, _FREE_PIPES, _FREE_LOCKS, _FREE_EPOLLS = 64, 64, 1024, 8
_PIPE_KB, _WATCH_KB, _LOCK_KB = 64, 0.2, 0.25  # a pipe's usual size; struct epitem; struct file_lock
_USUAL_SOCKET_BYTES = 212_992  # net.core.wmem_default: SO_SNDBUF is refused to jobs, so that none is larger
_MESSAGE_KB, _SEMAPHORE_KB, _SET_KB = (
    0.1,
    0.125,
    1,
)  # struct msg_msg, struct sem on a cache line of its own, struct msg_queue
_MOST_FDINFO_BYTES, _TOO_MANY = 1 << 23, 1 << 24


def segments_kb() -> float:
    """Return what the System V segments in the IPC namespace of this process take; see sysvipc in proc(5)."""
    return sum((int(fields[-2]) + int(fields[-1])) / 1024 + _SET_KB for fields in _rows("shm"))


def messages_kb() -> float:
    """Return what the System V queues and semaphores in the IPC namespace of this process take."""
    queues = sum(int(fields[3]) / 1024 + int(fields[4]) * _MESSAGE_KB + _SET_KB for fields in _rows("msg"))
    return queues + sum(int(fields[3]) * _SEMAPHORE_KB + _SET_KB for fields in _rows("sem"))


def descriptors_kb(pids: Iterable[int]) -> float:
    """Return what the processes can keep behind their descriptors, those of several processes counted once."""
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
        text = file.read(_MOST_FDINFO_BYTES)
    return text.count(b"lock:") if len(text) < _MOST_FDINFO_BYTES else _TOO_MANY


def _count_descriptors(pid: int) -> int:
    """Return how many descriptors a process may have that lets nobody see them; 0 for one that is just ending."""
    if not has_memory(pid):
        return 0
    if size := os.stat(f"/proc/{pid}/fd").st_size:  # since Linux 6.2
        return size
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return int(file.read().partition("FDSize:")[2].split(maxsplit=1)[0])


@cache
def _socket_kb() -> float:
    with suppress(OSError, ValueError), open("/proc/sys/net/core/wmem_default", encoding="ascii") as file:
        return int(file.read()) * 1.05 / 1024
    return _USUAL_SOCKET_BYTES * 1.05 / 1024


def _rows(kind: str) -> list[list[str]]:
    with open(f"/proc/sysvipc/{kind}", encoding="ascii") as file:
        return [line.split() for line in file.read().splitlines()[1:]]
