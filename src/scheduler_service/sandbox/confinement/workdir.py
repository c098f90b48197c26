"""Private working directories: made empty, and removed whatever an untrusted program has put into them."""

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
    """Make a new, empty directory below `root` that only its owner may enter."""
    path = root / f"{_RUN}{os.urandom(8).hex()}"
    path.mkdir(mode=0o700)
    return path


def remove_directory(path: Path) -> None:
    """Remove `path` with all it holds; one that is already gone is no error.

    Works on what makes `shutil.rmtree` and `rm -rf` give up: trees deeper than the stack or the path limit, directories
    without permissions, names that are no text, entries that appear meanwhile. Symbolic links are never followed.
    Needs two descriptors at any depth: each subdirectory is first moved up next to `path`, so no path gets long.

    Raises OSError when something refuses for good.
    """
    for _ in _remove_step_by_step(path):
        pass


def is_left(path: Path) -> bool:
    """Return whether there still is a directory of a run; takes microseconds."""
    return os.path.lexists(path)


class Removal:
    """Removes directories as `remove_directory` does, for a stated time at once: a run may leave very many files."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._steps = itertools.chain.from_iterable(map(_remove_step_by_step, paths))

    def go_on(self, seconds: float) -> bool:
        """Go on removing for so long; return whether all is gone. Raises OSError as `remove_directory` does."""
        deadline = time.monotonic() + seconds
        return all(time.monotonic() < deadline for _ in self._steps)


class Claim:
    """A directory of this process's own below a root that others may use too, for as long as the process lives.

    What a process that was killed has left is removed by the next that claims: the lock on its directory is gone.
    """

    def __init__(self, root: Path, mode: int = 0o700, remove: Callable[[Path], None] = remove_directory) -> None:
        """Make the directory; `mode` is its own and the root's, and `remove` removes one with what is in it."""
        self._remove = remove
        root.mkdir(mode=mode, parents=True, exist_ok=True)
        root.chmod(mode)
        with _locked(root):  # nobody may take a directory for abandoned that is just being made
            for path in root.glob(f"{_OWNED}*"):
                if _is_abandoned(path):
                    remove(path)
            self.path = root / f"{_OWNED}{os.urandom(4).hex()}"
            self.path.mkdir(mode=mode)
            self._lock = os.open(self.path, _DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def release(self) -> None:
        """Remove the directory; what cannot be removed now is left to the next process that claims."""
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
    """Remove `path`, an entry at each step."""
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
    """Remove the directory `name`; adds the new names, next to it, of the subdirectories that were inside."""
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
    """Open a directory, taking its owner's permissions back first where they were given up."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if stat.S_IMODE(os.fstat(handle).st_mode) & stat.S_IRWXU != stat.S_IRWXU:
            Path(f"/proc/self/fd/{handle}").chmod(stat.S_IRWXU)  # by descriptor: a name could have become a link
        return os.open(name, _DIRECTORY, dir_fd=parent)
    finally:
        os.close(handle)
