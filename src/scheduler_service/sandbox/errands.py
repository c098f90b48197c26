"""Errands: what a warden does for a job that may not do it itself.

A job with the user id of the service could change modes, times and owners of the service's files: Landlock does not
rule on that, and a system call filter cannot read paths. So the filter asks the warden (seccomp_unotify(2)), which does
what is asked if the file lies in the job's own directory. It opens the file first, and judges and changes what it has
opened: names may change their meaning at any time.

Such a job could also change the priority, the processors and the limits of the service's processes. The warden lets it
do so to processes of its own run: those arguments are numbers, which cannot change after they were judged.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from scheduler_service.sandbox.disk_count import DiskCount
from scheduler_service.sandbox.identity import acting_as
from scheduler_service.sandbox.shared_memory import SharedMemory, directory_of, names_segment
from scheduler_service.sandbox.syscall_table import (
    ON_PROCESSES,
    THAT_A_WARDEN_BOUNDS,
    THAT_A_WARDEN_DOES,
    THAT_NAME_SHARED_MEMORY,
)
from scheduler_service.sandbox.syscalls import MACHINES, invoke, machine

_NOTIFICATION = struct.Struct("=QII iIQ 6Q")  # struct seccomp_notif: id, pid, flags; nr, arch, ip, arguments
_RESPONSE = struct.Struct("=QqiI")  # struct seccomp_notif_resp: id, value, error, flags
_RECEIVE, _SEND = 0xC050_2100, 0xC018_2101
_TIMES = struct.Struct("=qqqq")
_NOW, _OMIT = 0x3FFF_FFFF, 0x3FFF_FFFE
_CURRENT_DIRECTORY = -100
_NO_FOLLOW, _EMPTY_PATH = 0x100, 0x1000
_UNCHANGED = 0xFFFF_FFFF
_FILE = struct.Struct("=QIIII")  # struct seccomp_notif_addfd: id, flags, our descriptor, new one, its flags
_SET_FLAGS, _SYNCHRONOUS = 0x4008_2104, 1  # SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: the warden runs next, on this processor
_ADD_FILE, _AND_SEND = 0x4018_2103, 2
_CONTINUE = 1
_PUNCH_HOLE, _COLLAPSE_RANGE = 0x02, 0x08
_ANSWERED = (THAT_A_WARDEN_DOES, THAT_A_WARDEN_BOUNDS, THAT_NAME_SHARED_MEMORY)
_MODES = 0o1777  # no set-user-id: nobody but the service's user would gain by it
_LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that waits for its answer: by which process it was made, with which arguments."""

    identity: int
    pid: int
    arguments: list[int]


class Errands:
    """Answers the calls of one job, whose files lie in `directory`; `uid` is its user, if that is not ours.

    `disk` is asked before files grow at once.
    """

    def __init__(self, listener: int, directory: str, uid: int | None, memory: SharedMemory, disk: DiskCount) -> None:
        self.listener = listener
        with suppress(OSError):  # before Linux 6.6
            fcntl.ioctl(listener, _SET_FLAGS, struct.pack("=Q", _SYNCHRONOUS))
        self._directory = os.path.realpath(directory)
        self._uid = uid
        self._disk = disk
        self._memory = memory
        processor = MACHINES.index(machine())
        self._names = {numbers[processor]: name for calls in _ANSWERED for name, numbers in calls.items()}
        self._process_arguments = {numbers[processor]: argument for numbers, argument in ON_PROCESSES.values()}
        self._actions: dict[str, Callable[..., object]] = {
            "chmod": lambda call, path, mode, *_: self._chmod(call.pid, _CURRENT_DIRECTORY, path, mode),
            "fchmod": lambda call, file, mode, *_: self._chmod(call.pid, file, 0, mode),
            "fchmodat": lambda call, base, path, mode, *_: self._chmod(call.pid, base, path, mode),
            "chown": lambda call, path, uid, gid, *_: self._chown(call.pid, _CURRENT_DIRECTORY, path, uid, gid, 0),
            "lchown": lambda call, path, uid, gid, *_: self._chown(
                call.pid, _CURRENT_DIRECTORY, path, uid, gid, _NO_FOLLOW
            ),
            "fchown": lambda call, file, uid, gid, *_: self._chown(call.pid, file, 0, uid, gid, 0),
            "fchownat": lambda call, base, path, uid, gid, flags, *_: self._chown(
                call.pid, base, path, uid, gid, flags
            ),
            "utimensat": lambda call, base, path, times, flags, *_: self._set_times(call.pid, base, path, times, flags),
            "fallocate": lambda call, file, mode, offset, size, *_: self._allocate(call.pid, file, mode, offset, size),
            "open": lambda call, path, flags, mode, *_: self._open(call, path, flags, mode),
            "openat": lambda call, _, path, flags, mode, *__: self._open(call, path, flags, mode),
            "unlink": lambda call, path, *_: self._unlink(call, path),
            "unlinkat": lambda call, _, path, *__: self._unlink(call, path),
            "link": lambda call, path, new_path, *_: self._link(call, path, new_path),
            "linkat": lambda call, _, path, __, new_path, *___: self._link(call, path, new_path),
        }

    def run_one(self) -> None:
        """Answer one call; the caller may be gone already, which is no error."""
        notification = bytearray(_NOTIFICATION.size)
        with suppress(OSError):
            fcntl.ioctl(self.listener, _RECEIVE, notification)
            identity, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(notification)
            code = flags = 0
            try:
                self._answer(Call(identity, pid, arguments), number)
            except _OthersError:
                flags = _CONTINUE
            except _AnsweredError:
                return
            except OSError as error:
                code = -(error.errno or errno.EPERM)
            except (ValueError, OverflowError, struct.error):  # arguments that make no sense
                code = -errno.EINVAL
            fcntl.ioctl(self.listener, _SEND, bytearray(_RESPONSE.pack(identity, 0, code, flags)))

    def _answer(self, call: Call, number: int) -> None:
        """Do what is asked, or raise what says how else to answer; OSError refuses the call."""
        if number not in self._process_arguments:
            self._actions[self._names[number]](call, *call.arguments)
        elif _is_below_us(_signed(call.arguments[self._process_arguments[number]])):
            raise _OthersError
        else:
            raise PermissionError(errno.EPERM, "not a process of this run")

    def _open(self, call: Call, path: int, flags: int, mode: int) -> None:
        file = self._memory.open(self._segment(call.pid, path), flags, mode)
        try:
            closing = os.O_CLOEXEC if flags & os.O_CLOEXEC else 0
            fcntl.ioctl(self.listener, _ADD_FILE, bytearray(_FILE.pack(call.identity, _AND_SEND, file, 0, closing)))
        finally:
            os.close(file)
        raise _AnsweredError

    def _unlink(self, call: Call, path: int) -> None:
        self._memory.unlink(self._segment(call.pid, path))

    def _link(self, call: Call, path: int, new_path: int) -> None:
        name = self._segment(call.pid, path)
        self._memory.link(name, self._read_path(call.pid, new_path))

    def _segment(self, pid: int, path: int) -> bytes:
        """Read a path that names shared memory. Any other is left to the kernel, which reads it again and judges it."""
        name = self._read_path(pid, path)
        if not names_segment(name):
            raise _OthersError
        return name

    def _allocate(self, pid: int, file: int, mode: int, offset: int, size: int) -> None:
        """Let a file grow at once, if the run may have so much, and hold it to RLIMIT_FSIZE in each case."""
        grows = not mode & (_PUNCH_HOLE | _COLLAPSE_RANGE)
        with acting_as(self._uid):
            handle = os.open(f"/proc/{pid}/fd/{_signed(file)}", os.O_PATH | os.O_CLOEXEC)
            try:
                self._judge(handle)
                if grows and not self._disk.reserve(offset + size):
                    raise OSError(errno.ENOSPC, "beyond disk_mb")
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
        if uid & _UNCHANGED not in {_UNCHANGED, os.getuid()} or gid & _UNCHANGED not in {_UNCHANGED, os.getgid()}:
            raise PermissionError(errno.EPERM, "not the job's own user and group")
        self._change(pid, base, path, flags, lambda target: os.chown(target, _signed(uid), _signed(gid)))

    def _set_times(self, pid: int, base: int, path: int, times: int, flags: int) -> None:
        wanted = _TIMES.unpack(_read_memory(pid, times, _TIMES.size)) if times else (0, _NOW, 0, _NOW)
        self._change(pid, base, path, flags, lambda target: _apply_times(target, wanted))

    def _change(self, pid: int, base: int, path: int, flags: int, action: Callable[[str], None]) -> None:
        file = _open_for(pid, _signed(base), path, flags)
        try:
            self._judge(file)
            action(f"/proc/self/fd/{file}")
        finally:
            os.close(file)

    def _judge(self, file: int) -> None:
        """Raise PermissionError unless what the descriptor has open is the job's own."""
        name = os.readlink(f"/proc/self/fd/{file}")
        own = (self._directory, directory_of(self._directory))
        if not any(f"{name}/".startswith(f"{directory}/") for directory in own):
            raise PermissionError(errno.EPERM, "not the job's own file")

    def _read_path(self, pid: int, path: int) -> bytes:
        with acting_as(self._uid):
            return _read_string(pid, path)


def _is_below_us(pid: int) -> bool:
    """Return whether a process or thread belongs to the run: all its orphans become children of this process."""
    ancestor = _parent_of(pid)
    while ancestor > 1 and ancestor != os.getpid():
        ancestor = _parent_of(ancestor)
    return ancestor == os.getpid() != pid


def _parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("PPid:")), 0)


def _open_for(pid: int, base: int, path: int, flags: int) -> int:
    """Open what the job means by `path`, an address in its memory, seen from `base`; without a path, `base` itself."""
    follow = os.O_NOFOLLOW if flags & _NO_FOLLOW else 0
    start = f"/proc/{pid}/cwd" if base == _CURRENT_DIRECTORY else f"/proc/{pid}/fd/{base}"
    if path == 0:
        return os.open(start, os.O_PATH | os.O_CLOEXEC)
    name = _read_string(pid, path)
    if not name and flags & _EMPTY_PATH:
        return os.open(start, os.O_PATH | os.O_CLOEXEC)
    if name.startswith(b"/"):
        return os.open(name, os.O_PATH | os.O_CLOEXEC | follow)
    directory = os.open(start, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return os.open(name, os.O_PATH | os.O_CLOEXEC | follow, dir_fd=directory)
    finally:
        os.close(directory)


def _apply_times(target: str, wanted: tuple[int, ...]) -> None:
    status = os.stat(target)
    accessed = _nanoseconds(wanted[0], wanted[1], status.st_atime_ns)
    modified = _nanoseconds(wanted[2], wanted[3], status.st_mtime_ns)
    os.utime(target, ns=(accessed, modified))


def _nanoseconds(seconds: int, part: int, kept: int) -> int:
    if part == _OMIT:
        return kept
    return time.time_ns() if part == _NOW else seconds * 1_000_000_000 + part


def _read_string(pid: int, address: int) -> bytes:
    return _read_memory(pid, address, _LONGEST_PATH).split(b"\0", 1)[0]


def _read_memory(pid: int, address: int, size: int) -> bytes:
    """Read up to `size` bytes of a process, up to where its memory ends."""
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(memory, size, address)
    finally:
        os.close(memory)


def _signed(argument: int) -> int:
    low = argument & 0xFFFF_FFFF
    return low - (1 << 32) if low >> 31 else low


class _OthersError(Exception):
    """The call is not about what a warden answers for: the kernel is to go on with it."""


class _AnsweredError(Exception):
    """The answer was given together with a descriptor."""
