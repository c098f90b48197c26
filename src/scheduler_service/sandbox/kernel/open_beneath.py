"""Directories in a tree that hostile processes change meanwhile: opened whatever their modes, and none outside it.

openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS (since Linux 5.6) makes the kernel refuse every way out.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from scheduler_service.sandbox.kernel.identity import User, acting_as
from scheduler_service.sandbox.kernel.syscalls import invoke

_HOW = struct.Struct("=QQQ")  # struct open_how of openat2(2): flags, mode, resolve
_RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x04, 0x08
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_HANDLE = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def open_beneath(directory: int, path: str, flags: int) -> int:
    """Open a path that may neither leave `directory` nor pass a symbolic link; see openat2(2)."""
    how = _HOW.pack(flags, 0, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS)
    return invoke("openat2", directory, os.fsencode(path), how, len(how))


@contextmanager
def open_directory(root: int, path: Sequence[str], user: User | None) -> Iterator[int]:
    """Open the directory at `path` below the descriptor `root`, to list it. Symbolic links are not followed.

    Its owner, `user` if that is not us, may have taken the permissions of it or of one above away from everybody. They
    are restored while the block runs. Raises OSError if it has vanished.
    """
    with acting_as(user):
        try:
            directory = open_beneath(root, "/".join(path) or ".", _LIST)
        except OSError:  # without permission, or the path is too long: step by step
            directory = -1
    if directory >= 0:
        try:
            yield directory
        finally:
            os.close(directory)
        return
    with ExitStack() as opened:
        with acting_as(user):
            directory = _open_step_by_step(root, path, opened, user)
        yield directory


def _open_step_by_step(root: int, path: Sequence[str], opened: ExitStack, user: User | None) -> int:
    handle = _unlock(os.dup(root), opened, user)
    for name in path:
        handle = _unlock(open_beneath(handle, name, _HANDLE), opened, user)
    directory = open_beneath(handle, ".", _LIST)
    opened.callback(os.close, directory)
    return directory


def _unlock(handle: int, opened: ExitStack, user: User | None) -> int:
    """Allow the owner to read and enter the directory until `opened` is closed, which also closes the handle."""
    opened.callback(os.close, handle)
    mode = stat.S_IMODE(os.fstat(handle).st_mode)
    needed = stat.S_IRUSR | stat.S_IXUSR
    if mode & needed != needed:
        _change_mode(handle, mode | needed, None)  # we act as the owner already
        opened.callback(_change_mode, handle, mode, user)
    return handle


def _change_mode(handle: int, mode: int, user: User | None) -> None:
    with suppress(OSError), acting_as(user):
        os.chmod(f"/proc/self/fd/{handle}", mode)  # by descriptor: a name could have become a link
