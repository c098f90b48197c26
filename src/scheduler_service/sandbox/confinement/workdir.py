"""Working directories of runs: made empty, and removed whatever an untrusted program has put into them."""

from __future__ import annotations

import fcntl
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OWNED, _RUN = "service-", "run-"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SWEEPS = 100


def create_directory(root: Path) -> Path:
    """Create an empty directory below `root` that only its owner may enter."""
    path = root / f"{_RUN}{os.urandom(8).hex()}"
    path.mkdir(mode=0o700)
    return path


def remove_directory(path: Path) -> None:
    """Remove `path` with all it holds. One that is already gone is no error.

    It also removes what makes `shutil.rmtree` and `rm -rf` fail: trees deeper than the stack or the path limit,
    directories without permissions, names that are no text, entries that appear meanwhile. It never follows symbolic
    links. It needs two descriptors at any depth, because each subdirectory is first moved up next to `path`.

    Raises OSError if an entry cannot be removed.
    """
    for _ in _remove_step_by_step(path):
        pass


def is_left(path: Path) -> bool:
    """Return whether a run's directory still exists. Takes microseconds."""
    return os.path.lexists(path)


class Removal:
    """Removes directories as `remove_directory` does, in portions of time: a run may leave very many files."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._steps = itertools.chain.from_iterable(map(_remove_step_by_step, paths))

    def go_on(self, seconds: float) -> bool:
        """Remove for `seconds`. Return whether all is gone. Raise OSError as `remove_directory` does."""
        deadline = time.monotonic() + seconds
        return all(time.monotonic() < deadline for _ in self._steps)


class Claim:
    """A directory below a shared root that belongs to this process while it lives.

    The kernel drops the lock on it with the process (flock(2)). The next process that claims removes the directories
    without a lock, which killed processes have left.
    """

    def __init__(self, root: Path, mode: int = 0o700, remove: Callable[[Path], None] = remove_directory) -> None:
        """Create the directory, and the root, with `mode`. `remove` removes one with all it holds."""
        self._remove = remove
        root.mkdir(mode=mode, parents=True, exist_ok=True)
        root.chmod(mode)
        with _locked(root):  # or another claim could take ours for abandoned before it has its lock
            for path in root.glob(f"{_OWNED}*"):
                if _is_abandoned(path):
                    remove(path)
            self.path = root / f"{_OWNED}{os.urandom(4).hex()}"
            self.path.mkdir(mode=mode)
            self._lock = os.open(self.path, _DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def release(self) -> None:
        """Remove the directory. What cannot be removed is left to the next process that claims."""
        with suppress(OSError):
            self._remove(self.path)
        os.close(self._lock)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    lock = os.open(directory, _DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _is_abandoned(path: Path) -> bool:
    try:
        lock = os.open(path, _DIRECTORY)
    except FileNotFoundError:  # its owner has just released it
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _remove_step_by_step(path: Path) -> Iterator[None]:
    """Remove `path`, one entry at each step."""
    parent = os.open(path.parent, _DIRECTORY)
    try:
        names = (f"{path.name}.{number}" for number in itertools.count())
        pending = [path.name]
        while pending:
            with suppress(FileNotFoundError):
                yield from _empty_directory(parent, pending.pop(), names, pending)
    finally:
        os.close(parent)


def _empty_directory(parent: int, name: str, names: Iterator[str], pending: list[str]) -> Iterator[None]:
    """Remove the directory `name`. Move its subdirectories up next to it, and add their names to `pending`."""
    directory = _open_directory(parent, name)
    try:
        for _ in range(_SWEEPS):  # the kernel may leave entries out of a listing that is being emptied
            with os.scandir(directory) as listing:
                for entry in listing:
                    if not entry.is_dir(follow_symlinks=False):
                        os.unlink(entry.name, dir_fd=directory)
                    elif not _is_removed(directory, entry.name):
                        pending.append(_move_up(directory, entry.name, parent, next(names)))
                    yield
            if _is_removed(parent, name):
                return
    finally:
        os.close(directory)
    os.rmdir(name, dir_fd=parent)


def _is_removed(parent: int, name: str) -> bool:
    """Remove a directory if it is empty; return whether it was."""
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError:
        return False
    return True


def _move_up(source: int, name: str, parent: int, new_name: str) -> str:
    os.close(_open_directory(source, name))  # a directory without write permission cannot change its parent
    os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=parent)
    return new_name


def _open_directory(parent: int, name: str) -> int:
    """Open a directory, after its owner's permissions have been restored."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if stat.S_IMODE(os.fstat(handle).st_mode) & stat.S_IRWXU != stat.S_IRWXU:
            Path(f"/proc/self/fd/{handle}").chmod(stat.S_IRWXU)  # by descriptor: a name could have become a link
        return os.open(name, _DIRECTORY, dir_fd=parent)
    finally:
        os.close(handle)
