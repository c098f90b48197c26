"""Access to the processes of a job: their memory, their descriptors, and the files that their paths name.

Every access is by process id, which the kernel may have given to another process meanwhile. So the caller checks
afterwards that the call is still open (`Listener.is_open`); see the head of `notifications`.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from typing import NamedTuple

from scheduler_service.sandbox.kernel.syscalls import invoke

CURRENT_DIRECTORY = -100
_LONGEST_PATH = 4096
_MAX_KEPT = 64
_MAX_COPIED = 128  # sizeof(struct sockaddr_storage): no address is longer
_PIDFD_THREAD = os.O_EXCL  # PIDFD_THREAD, since Linux 6.9


class _Span(ctypes.Structure):  # struct iovec
    _fields_ = (("start", ctypes.c_void_p), ("size", ctypes.c_size_t))


_room = ctypes.create_string_buffer(_MAX_COPIED)
_ours, _theirs = _Span(ctypes.addressof(_room)), _Span()
_ours_by_reference, _theirs_by_reference = ctypes.byref(_ours), ctypes.byref(_theirs)


def copy_memory(pid: int, address: int, size: int) -> bytes:
    """Read up to 128 bytes of a process's memory. Raise OSError if there are fewer. Faster than to open the memory."""
    if size > _MAX_COPIED:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    _theirs.start = address
    _ours.size = _theirs.size = size
    if invoke("process_vm_readv", pid, _ours_by_reference, 1, _theirs_by_reference, 1, 0) < size:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    return ctypes.string_at(_room, size)


class Memory(NamedTuple):
    """The memory that a process had when this was opened. A program that it executes later has another."""

    descriptor: int

    def read(self, address: int, size: int) -> bytes:
        """Read `size` bytes. Raise OSError if there are fewer."""
        content = os.pread(self.descriptor, size, address) if size else b""
        if len(content) < size:
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        return content

    def read_text(self, address: int) -> bytes:
        """Read a string that a zero byte ends."""
        return os.pread(self.descriptor, _LONGEST_PATH, address).split(b"\0", 1)[0]

    def write(self, address: int, content: bytes) -> None:
        """Write to memory that was opened for writing."""
        os.pwrite(self.descriptor, content, address)


def open_memory(pid: int, mode: int = os.O_RDONLY) -> Memory:
    """Open the memory of a process; the caller closes the descriptor."""
    return Memory(os.open(f"/proc/{pid}/mem", mode | os.O_CLOEXEC))


def open_path(pid: int, base: int, name: bytes, follow: int = 0) -> int:
    """Open the file at the path `name` of a process, relative to its descriptor `base`."""
    if name.startswith(b"/"):
        return os.open(_translate(pid, name), os.O_PATH | os.O_CLOEXEC | follow)
    directory = os.open(path_of_descriptor(pid, base), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return os.open(name, os.O_PATH | os.O_CLOEXEC | follow, dir_fd=directory)
    finally:
        os.close(directory)


def path_of_descriptor(pid: int, descriptor: int) -> str:
    """Return a path to the open file of a process, or to its current directory."""
    return f"/proc/{pid}/cwd" if descriptor == CURRENT_DIRECTORY else f"/proc/{pid}/fd/{descriptor}"


def status_of(pid: int) -> dict[str, str]:
    """Return the status of a thread; see proc_pid_status(5)."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
        return {name: value.strip() for name, _, value in (line.partition(":") for line in status)}


def has_signal(pid: int) -> bool:
    """Return whether a signal is pending that the thread does not block. False if the thread is gone."""
    try:
        status = status_of(pid)
    except OSError:
        return False
    own, shared, blocked = (int(status[name], 16) for name in ("SigPnd", "ShdPnd", "SigBlk"))
    return bool((own | shared) & ~blocked)


def signed(argument: int) -> int:
    """Return the lower half of a system call's argument as a signed int."""
    low = argument & 0xFFFF_FFFF
    return low - (1 << 32) if low >> 31 else low


class Processes:
    """Copies descriptors of processes, with pidfd_getfd(2).

    Pidfds are kept. The pidfd of an ended process never refers to another process, even if the id is used again.
    """

    def __init__(self) -> None:
        self._handles: dict[int, int] = {}

    def copy_descriptor(self, pid: int, descriptor: int) -> int:
        """Return a copy of a descriptor of the thread `pid`, for us to close."""
        kept = self._handles.get(pid)
        if kept is not None:
            try:
                return invoke("pidfd_getfd", kept, descriptor, 0)
            except OSError as error:
                if error.errno != errno.ESRCH:
                    raise
                os.close(self._handles.pop(pid))
        if len(self._handles) >= _MAX_KEPT:
            self.close()
        self._handles[pid] = _open_process(pid)
        return invoke("pidfd_getfd", self._handles[pid], descriptor, 0)

    def close(self) -> None:
        """Close all handles."""
        while self._handles:
            os.close(self._handles.popitem()[1])


def _open_process(pid: int) -> int:
    with suppress(OSError):
        return os.pidfd_open(pid)
    with suppress(OSError):
        return os.pidfd_open(pid, _PIDFD_THREAD)
    return os.pidfd_open(int(status_of(pid)["Tgid"]))


def _translate(pid: int, name: bytes) -> bytes:
    """Return a path below /proc/self of a process as a path that is right for us."""
    for own, meant in ((b"/proc/self/", b"/proc/%d/"), (b"/proc/thread-self/", b"/proc/%d/task/%d/")):
        if name.startswith(own):
            return (meant % ((pid,) * meant.count(b"%d"))) + name[len(own) :]
    return name
