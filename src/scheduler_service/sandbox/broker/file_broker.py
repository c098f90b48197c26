"""The file broker: changes of files and processes that the supervisor makes for a job.

A job with the user id of the service could change modes, times and owners of the service's files: Landlock does not
rule on that, and a system call filter cannot read paths. So the filter asks the supervisor (seccomp_unotify(2)), which
does what is asked if the file lies in the job's own directory. It opens the file first, and judges and changes what it
has opened: names may change their meaning at any time.

Such a job could also change the priority, the processors and the limits of the service's processes. The supervisor
lets it do so to processes of its own run: those arguments are numbers, which cannot change after they were judged.
"""

from __future__ import annotations

import errno
import os
import struct
import time
from collections.abc import Callable, Iterable, Sequence

from scheduler_service.sandbox.accounting.disk_count import DiskCount
from scheduler_service.sandbox.broker.job_access import (
    CURRENT_DIRECTORY,
    Memory,
    open_memory,
    open_path,
    path_of_descriptor,
    signed,
)
from scheduler_service.sandbox.confinement.shared_memory import SharedMemory, directory_of, names_segment
from scheduler_service.sandbox.kernel.identity import User, acting_as
from scheduler_service.sandbox.kernel.notifications import Call, Listener
from scheduler_service.sandbox.kernel.syscall_table import BROKERED_PROCESS_CHANGES
from scheduler_service.sandbox.kernel.syscalls import invoke

_TIMES = struct.Struct("=qqqq")  # two of struct timespec: accessed, modified
_NOW, _OMIT = 0x3FFF_FFFF, 0x3FFF_FFFE  # UTIME_NOW, UTIME_OMIT
_BOTH_NOW = (0, _NOW, 0, _NOW)
_NO_FOLLOW, _EMPTY_PATH = 0x100, 0x1000  # AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH
_UNCHANGED = 0xFFFF_FFFF  # chown(2): -1 leaves an id as it is
_PUNCH_HOLE, _COLLAPSE_RANGE = 0x02, 0x08  # fallocate(2): these make a file smaller
_MODES = 0o1777  # no set-user-id: nobody but the service's user would gain by it


class FileBroker:
    """Answers the calls of one job. Its files lie in `directory`, and `user` is its user, if that is not ours.

    `disk` must agree before an allocation in a file of the run. Files below `writable`, the operator's, may grow. The
    process `spawner` is no part of the run.
    """

    def __init__(
        self,
        listener: Listener,
        directory: str,
        user: User | None,
        memory: SharedMemory,
        disk: DiskCount,
        writable: Sequence[str] = (),
        *,
        spawner: int = 0,
    ) -> None:
        self._spawner = spawner
        self._listener = listener
        self._directory = os.path.realpath(directory)
        self._writable = tuple(writable)
        self._user = user
        self._disk = disk
        self._memory = memory
        actions: dict[str, Callable[..., None]] = {
            "chmod": lambda pid, path, mode, *_: self._chmod(pid, CURRENT_DIRECTORY, path, mode),
            "fchmod": lambda pid, file, mode, *_: self._chmod(pid, file, 0, mode),
            "fchmodat": lambda pid, base, path, mode, *_: self._chmod(pid, base, path, mode),
            "chown": lambda pid, path, uid, gid, *_: self._chown(pid, CURRENT_DIRECTORY, path, uid, gid, 0),
            "lchown": lambda pid, path, uid, gid, *_: self._chown(pid, CURRENT_DIRECTORY, path, uid, gid, _NO_FOLLOW),
            "fchown": lambda pid, file, uid, gid, *_: self._chown(pid, file, 0, uid, gid, 0),
            "fchownat": lambda pid, base, path, uid, gid, flags, *_: self._chown(pid, base, path, uid, gid, flags),
            "utimensat": lambda pid, base, path, times, flags, *_: self._set_times(pid, base, path, times, flags),
            "fallocate": lambda pid, file, mode, offset, size, *_: self._allocate(pid, file, mode, offset, size),
        }
        self.actions: dict[str, Callable[[Call], int | None]] = {
            **{name: _answering(action) for name, action in actions.items()},
            **{name: self._judging(argument) for name, (_, argument) in BROKERED_PROCESS_CHANGES.items()},
            "open": lambda call: self._open(call, *call.arguments[:3]),
            "openat": lambda call: self._open(call, *call.arguments[1:4]),
            "unlink": lambda call: self._unlink(call, call.arguments[0]),
            "unlinkat": lambda call: self._unlink(call, call.arguments[1]),
            "link": lambda call: self._link(call, *call.arguments[:2]),
            "linkat": lambda call: self._link(call, call.arguments[1], call.arguments[3]),
        }

    def _judging(self, argument: int) -> Callable[[Call], None]:
        """Return an action that continues a call if the process in its argument belongs to the job."""

        def judge(call: Call) -> None:
            pid = signed(call.arguments[argument])
            if pid == self._spawner or not _is_below_us(pid):
                raise PermissionError(errno.EPERM, "not a process of this run")
            self._listener.let_go_on(call)

        return judge

    def _open(self, call: Call, path: int, flags: int, mode: int) -> None:
        segment = self._segment(call, path)
        if segment is None:
            return
        file = self._memory.open(segment, flags, mode)
        try:
            self._listener.answer_with_descriptor(call, file, close_on_exec=bool(flags & os.O_CLOEXEC))
        finally:
            os.close(file)

    def _unlink(self, call: Call, path: int) -> int | None:
        segment = self._segment(call, path)
        if segment is None:
            return None
        self._memory.unlink(segment)
        return 0

    def _link(self, call: Call, path: int, new_path: int) -> int | None:
        segment = self._segment(call, path)
        if segment is None:
            return None
        self._memory.link(segment, self._read_path(call.pid, new_path))
        return 0

    def _segment(self, call: Call, path: int) -> bytes | None:
        """Return the path of a call if it names shared memory. Continue a call with any other path, and return None.

        The kernel then reads the path again, and Landlock judges what it reads.
        """
        name = self._read_path(call.pid, path)
        if names_segment(name):
            return name
        self._listener.let_go_on(call)
        return None

    def _allocate(self, pid: int, file: int, mode: int, offset: int, size: int) -> None:
        """Allocate space for a file if the run may have that much and RLIMIT_FSIZE allows it."""
        grows = not mode & (_PUNCH_HOLE | _COLLAPSE_RANGE)
        with acting_as(self._user):
            handle = os.open(f"/proc/{pid}/fd/{signed(file)}", os.O_PATH | os.O_CLOEXEC)
            try:
                is_own = self._judge(handle)
                if grows and is_own and not self._disk.reserve(offset + size):
                    raise OSError(errno.ENOSPC, "beyond disk_mb")
                # O_NONBLOCK: the job may have put a FIFO there, which would block the supervisor.
                writable = os.open(f"/proc/self/fd/{handle}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            finally:
                os.close(handle)
            try:
                invoke("fallocate", writable, mode & 0xFFFF_FFFF, offset, size)
            finally:
                os.close(writable)

    def _chmod(self, pid: int, base: int, path: int, mode: int) -> None:
        self._change(pid, base, path, 0, lambda target: os.chmod(target, mode & _MODES))

    def _chown(self, pid: int, base: int, path: int, uid: int, gid: int, flags: int) -> None:
        own = self._user or User(os.getuid(), os.getgid())
        if uid & _UNCHANGED not in {_UNCHANGED, own.uid} or gid & _UNCHANGED not in {_UNCHANGED, own.gid}:
            raise PermissionError(errno.EPERM, "not the job's own user and group")
        self._change(pid, base, path, flags, lambda target: os.chown(target, signed(uid), signed(gid)))

    def _set_times(self, pid: int, base: int, path: int, times: int, flags: int) -> None:
        wanted = _BOTH_NOW
        if times:
            with acting_as(self._user):
                wanted = _TIMES.unpack(_read(pid, lambda memory: memory.read(times, _TIMES.size)))
        self._change(pid, base, path, flags, lambda target: _apply_times(target, wanted))

    def _change(self, pid: int, base: int, path: int, flags: int, action: Callable[[str], None]) -> None:
        # Opened, then judged, then changed through the descriptor: a path may lead elsewhere a moment later.
        # All with the rights of the job's user alone: what that user does not own, it may not change.
        with acting_as(self._user):
            file = _open_for(pid, signed(base), path, flags)
            try:
                self._judge(file)
                action(f"/proc/self/fd/{file}")
            finally:
                os.close(file)

    def _judge(self, file: int) -> bool:
        """Return whether an open file is the run's own. Raise PermissionError if the run may not change it."""
        name = os.readlink(f"/proc/self/fd/{file}")
        if _lies_below(name, (self._directory, directory_of(self._directory))):
            return True
        if _lies_below(name, self._writable):
            return False
        raise PermissionError(errno.EPERM, "not the job's own file")

    def _read_path(self, pid: int, path: int) -> bytes:
        with acting_as(self._user):
            return _read(pid, lambda memory: memory.read_text(path))


def _lies_below(name: str, directories: Iterable[str]) -> bool:
    return any(f"{name}/".startswith(f"{directory}/") for directory in directories)


def _is_below_us(pid: int) -> bool:
    """Return whether a process or thread belongs to the run. The run's orphans are children of this process."""
    ancestor = _parent_of(pid)
    while ancestor > 1 and ancestor != os.getpid():
        ancestor = _parent_of(ancestor)
    return ancestor == os.getpid() != pid


def _parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("PPid:")), 0)


def _answering(action: Callable[..., None]) -> Callable[[Call], int]:
    """Return an action that takes a call and answers 0 to it."""

    def act(call: Call) -> int:
        action(call.pid, *call.arguments)
        return 0

    return act


def _open_for(pid: int, base: int, path: int, flags: int) -> int:
    """Open the file at the path whose address is `path`, relative to `base`. Without an address, open `base` itself."""
    if path == 0:
        return os.open(path_of_descriptor(pid, base), os.O_PATH | os.O_CLOEXEC)
    name = _read(pid, lambda memory: memory.read_text(path))
    if not name and flags & _EMPTY_PATH:
        return os.open(path_of_descriptor(pid, base), os.O_PATH | os.O_CLOEXEC)
    return open_path(pid, base, name, os.O_NOFOLLOW if flags & _NO_FOLLOW else 0)


def _read(pid: int, reader: Callable[[Memory], bytes]) -> bytes:
    memory = open_memory(pid)
    try:
        return reader(memory)
    finally:
        os.close(memory.descriptor)


def _apply_times(target: str, wanted: tuple[int, ...]) -> None:
    status = os.stat(target)
    accessed = _nanoseconds(wanted[0], wanted[1], status.st_atime_ns)
    modified = _nanoseconds(wanted[2], wanted[3], status.st_mtime_ns)
    os.utime(target, ns=(accessed, modified))


def _nanoseconds(seconds: int, part: int, kept: int) -> int:
    if part == _OMIT:
        return kept
    return time.time_ns() if part == _NOW else seconds * 1_000_000_000 + part
