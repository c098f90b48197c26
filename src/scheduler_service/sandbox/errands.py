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
from collections.abc import Callable, Sequence
from contextlib import suppress

from scheduler_service.sandbox.syscall_table import ON_PROCESSES, THAT_A_WARDEN_DOES
from scheduler_service.sandbox.syscalls import MACHINES, machine

_NOTIFICATION = struct.Struct("=QII iIQ 6Q")  # struct seccomp_notif: id, pid, flags; nr, arch, ip, arguments
_RESPONSE = struct.Struct("=QqiI")  # struct seccomp_notif_resp: id, value, error, flags
_RECEIVE, _SEND = 0xC050_2100, 0xC018_2101
_TIMES = struct.Struct("=qqqq")
_NOW, _OMIT = 0x3FFF_FFFF, 0x3FFF_FFFE
_CURRENT_DIRECTORY = -100
_NO_FOLLOW, _EMPTY_PATH = 0x100, 0x1000
_GO_ON = 1
_UNCHANGED = 0xFFFF_FFFF
_MODES = 0o1777  # no set-user-id: nobody but the service's user would gain by it
_LONGEST_PATH = 4096


class Errands:
    """Answers the calls of one job, whose files lie in `directory`."""

    def __init__(self, listener: int, directory: str) -> None:
        self.listener = listener
        self._directory = os.path.realpath(directory)
        processor = MACHINES.index(machine())
        self._names = {numbers[processor]: name for name, numbers in THAT_A_WARDEN_DOES.items()}
        self._process_arguments = {numbers[processor]: argument for numbers, argument in ON_PROCESSES.values()}
        self._actions: dict[str, Callable[..., None]] = {
            "chmod": lambda pid, path, mode, *_: self._chmod(pid, _CURRENT_DIRECTORY, path, mode),
            "fchmod": lambda pid, file, mode, *_: self._chmod(pid, file, 0, mode),
            "fchmodat": lambda pid, base, path, mode, *_: self._chmod(pid, base, path, mode),
            "chown": lambda pid, path, uid, gid, *_: self._chown(pid, _CURRENT_DIRECTORY, path, uid, gid, 0),
            "lchown": lambda pid, path, uid, gid, *_: self._chown(pid, _CURRENT_DIRECTORY, path, uid, gid, _NO_FOLLOW),
            "fchown": lambda pid, file, uid, gid, *_: self._chown(pid, file, 0, uid, gid, 0),
            "fchownat": lambda pid, base, path, uid, gid, flags, *_: self._chown(pid, base, path, uid, gid, flags),
            "utimensat": lambda pid, base, path, times, flags, *_: self._set_times(pid, base, path, times, flags),
        }

    def run_one(self) -> None:
        """Answer one call; the caller may be gone already, which is no error."""
        notification = bytearray(_NOTIFICATION.size)
        with suppress(OSError):
            fcntl.ioctl(self.listener, _RECEIVE, notification)
            identity, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(notification)
            code = flags = 0
            try:
                flags = self._answer(pid, number, arguments)
            except OSError as error:
                code = -(error.errno or errno.EPERM)
            except (ValueError, OverflowError, struct.error):  # arguments that make no sense
                code = -errno.EINVAL
            fcntl.ioctl(self.listener, _SEND, bytearray(_RESPONSE.pack(identity, 0, code, flags)))

    def _answer(self, pid: int, number: int, arguments: Sequence[int]) -> int:
        """Do what is asked, or return the flag that lets the call go on; raise OSError to refuse it."""
        if number in self._process_arguments:
            if not _is_below_us(_signed(arguments[self._process_arguments[number]])):
                raise PermissionError(errno.EPERM, "not a process of this run")
            return _GO_ON
        self._actions[self._names[number]](pid, *arguments)
        return 0

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
            target = f"/proc/self/fd/{file}"
            if not f"{os.readlink(target)}/".startswith(f"{self._directory}/"):
                raise PermissionError(errno.EPERM, "not the job's own file")
            action(target)
        finally:
            os.close(file)


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
    name = _read_memory(pid, path, _LONGEST_PATH).split(b"\0", 1)[0]
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
