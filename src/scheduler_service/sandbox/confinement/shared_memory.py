"""The shared memory of a run at `standard`: a directory of its own in place of /dev/shm.

In the host's /dev/shm all users share the names, and Landlock allows a whole directory or nothing. So a job may not
touch it. Instead the supervisor opens, links and removes what shm_open(3), sem_open(3) and mkstemp(3) name there, in a
directory beside that of the run, where it counts as files of the run. See `file_broker`.
"""

from __future__ import annotations

import errno
import os

from scheduler_service.sandbox.confinement.root import SHARED_MEMORY
from scheduler_service.sandbox.kernel.identity import User, acting_as

_PREFIX = os.fsencode(SHARED_MEMORY) + b"/"
_FLAGS = os.O_ACCMODE | os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_APPEND
_MAX_UNLINKED = 256
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def directory_of(home: str) -> str:
    """Return the directory for the shared memory of the run in `home`. It is made at the first use."""
    return f"{home}.shm"


def names_segment(path: bytes) -> bool:
    """Return whether `path` names a file in shared memory."""
    return path.startswith(_PREFIX)


class SharedMemory:
    """The segments and semaphores of one run. `user` is the job's user, if that is not ours.

    Each method does what the system call of its name does, and raises the same OSError. `unlinked` has open descriptors
    of segments without a name, by inode, for `DiskCount` to read their sizes.
    """

    def __init__(self, home: str, user: User | None) -> None:
        self._path = directory_of(home)
        self._user = user
        self._directory = -1
        self.unlinked: dict[int, int] = {}

    def open(self, path: bytes, flags: int, mode: int) -> int:
        directory, name = self._find(path)
        with acting_as(self._user):
            return os.open(name, flags & _FLAGS | os.O_NOFOLLOW | os.O_CLOEXEC, mode & 0o777, dir_fd=directory)

    def unlink(self, path: bytes) -> None:
        directory, name = self._find(path)
        with acting_as(self._user):
            segment = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            try:
                os.unlink(name, dir_fd=directory)
                self._keep(segment)
            finally:
                os.close(segment)

    def _keep(self, segment: int) -> None:
        status = os.fstat(segment)
        if status.st_nlink == 0 and len(self.unlinked) < _MAX_UNLINKED:
            self.unlinked[status.st_ino] = os.dup(segment)

    def link(self, path: bytes, new_path: bytes) -> None:
        directory, name = self._find(path)
        _, new_name = self._find(new_path)
        with acting_as(self._user):
            os.link(name, new_name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)

    def close(self) -> None:
        """Close all that is open. The run must be over."""
        while self.unlinked:
            os.close(self.unlinked.popitem()[1])
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1

    def _find(self, path: bytes) -> tuple[int, bytes]:
        """Return the directory, made at the first use, and the name in it."""
        name = path.removeprefix(_PREFIX)
        if not names_segment(path) or b"/" in name or name in {b"", b".", b".."}:
            raise PermissionError(errno.EACCES, "no name of shared memory")
        if self._directory < 0:
            os.mkdir(self._path, 0o700)
            if self._user is not None:
                os.chown(self._path, *self._user)
            self._directory = os.open(self._path, _DIRECTORY)
        return self._directory, name
