"""Collects the result and the artifacts of a run after its last process is dead.

The run chose every name, link and mode below its directory. So nothing is opened by a path that the kernel resolves
freely: each step goes down from a descriptor, cannot leave it, and follows no symbolic link (openat2(2)). What was
opened is judged, never its name: only a regular file with a single name is collected. A second name (hard link) may lie
outside, so the file may be another's.

Sizes are those that the files claim, so that a sparse file counts in full before a byte of it is read. The files stay
open, and are sent after the directory is removed; see `supervised_run`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice

from scheduler_service.sandbox.contract.collected import (
    ARTIFACTS_PATH,
    MAX_ARTIFACTS,
    MAX_ENTRIES,
    MAX_NAME_BYTES,
    MAX_RESULT_BYTES,
    RESULT_PATH,
)
from scheduler_service.sandbox.contract.protocol import RunReport
from scheduler_service.sandbox.contract.wording import printable
from scheduler_service.sandbox.kernel.identity import User, acting_as
from scheduler_service.sandbox.kernel.open_beneath import open_beneath, open_directory

_HANDLE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK_BYTES = 256 * 1024
_MAX_PROBLEMS = 3
_TOO_MANY = f"no artifact is kept, for there are more than {MAX_ARTIFACTS}; pack the files into an archive"
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file to be sent: its name below the directory of artifacts, its descriptor, and the bytes to read."""

    name: str
    descriptor: int
    size: int


@dataclass(slots=True)
class Collection:
    """What one run left, opened. `problems` says what was left out."""

    result: OpenFile | None = None
    artifacts: list[OpenFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._files())

    def copy(self, write: Callable[[bytes], object]) -> None:
        """Pass on the bytes of the result and then of each artifact, exactly as many as each has. Close all files."""
        try:
            for file in self._files():
                for chunk in read_exactly(file):
                    write(chunk)
        finally:
            self.close()

    def close(self) -> None:
        """Close all files."""
        for file in self._files():
            os.close(file.descriptor)
        self.result, self.artifacts = None, []

    def _files(self) -> list[OpenFile]:
        return [*([self.result] if self.result else []), *self.artifacts]


class _LeftOutError(Exception):
    """A file that is not collected. The message completes the sentence "… is left out: …"."""


def collect(directory: str, max_bytes: int, user: User | None) -> Collection:
    """Open what a run left in its working directory: `max_bytes` of artifacts at most.

    `user` owns the files, if that is not ours. Every process of the run must be dead. An error of the host is one of
    the problems: what the run was told to do is done.
    """
    found = Collection()
    try:
        root = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _collect(root, max_bytes, user, found)
        finally:
            os.close(root)
    except OSError as error:
        found.problems.append(f"not all that the run left can be kept: {error}")
    return found


def _collect(root: int, max_bytes: int, user: User | None, found: Collection) -> None:
    try:
        found.result = _open_result(root, user)
    except _LeftOutError as error:
        found.problems.append(f"the result is left out: {error}")
    names, problems = _list_artifacts(root, user)
    left = max_bytes
    for name in names:
        try:
            file = _open(
                root, [*ARTIFACTS_PATH, *name.split("/")], user, left, f"limits.artifacts_mb, {left} bytes left"
            )
        except _LeftOutError as error:
            problems.append(f'artifact "{printable(name)}" is left out: {error}')
        else:
            found.artifacts.append(OpenFile(name, file.descriptor, file.size))
            left -= file.size
    found.problems += _shortened(problems)


def announce(collection: Collection, report: RunReport) -> RunReport:
    """Return the report with what `Collection.copy` will send after it."""
    result = collection.result
    return replace(
        report,
        result_bytes=None if result is None else result.size,
        artifacts=[(file.name, file.size) for file in collection.artifacts],
        left_out=collection.problems,
    )


def read_exactly(file: OpenFile) -> Iterator[bytes]:
    """Yield the bytes of a file. Raise OSError if it has fewer than announced. What it has grown by is not read."""
    at = 0
    while at < file.size:
        chunk = os.pread(file.descriptor, min(_CHUNK_BYTES, file.size - at), at)
        if not chunk:
            raise OSError(f"{file.name} became shorter")
        at += len(chunk)
        yield chunk


def _open_result(root: int, user: User | None) -> OpenFile | None:
    with suppress(FileNotFoundError):
        return _open(root, RESULT_PATH, user, MAX_RESULT_BYTES, f"{MAX_RESULT_BYTES} bytes")
    return None


def _open(root: int, path: Sequence[str], user: User | None, max_bytes: int, limit: str) -> OpenFile:
    """Open a regular file with a single name. Raise `_LeftOutError`, or FileNotFoundError if it does not exist."""
    try:
        with open_directory(root, path[:-1], user) as directory, acting_as(user):
            handle = open_beneath(directory, path[-1], _HANDLE)
            try:
                size = _judge(handle, max_bytes, limit)
                return OpenFile("", _reopen(handle), size)
            finally:
                os.close(handle)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _LeftOutError(f"it cannot be opened: {error.strerror or error}") from error


def _judge(handle: int, max_bytes: int, limit: str) -> int:
    """Return the size of a file that may be collected."""
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise _LeftOutError(f"it is {_KINDS.get(stat.S_IFMT(status.st_mode), 'no file')}; only files are kept")
    if status.st_nlink != 1:
        raise _LeftOutError("it has a second name (hard link); copy the file instead")
    if status.st_size > max_bytes:
        raise _LeftOutError(f"it has {status.st_size} bytes, more than {limit}")
    return status.st_size


def _reopen(handle: int) -> int:
    """Open the file behind a handle for reading, as its owner, who may have taken this right away from everybody."""
    path = f"/proc/self/fd/{handle}"
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        os.chmod(path, stat.S_IRUSR)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _list_artifacts(root: int, user: User | None) -> tuple[list[str], list[str]]:
    """Return the names of all files, sorted, and why others have no place among them.

    Of too many files none is kept, because the order in which a file system lists them is no choice of the run's.
    """
    problems: list[str] = []
    try:
        names = list(islice(_walk(root, user, problems), MAX_ARTIFACTS + 1))
    except _LeftOutError as error:
        return [], [str(error)]
    return ([], [_TOO_MANY]) if len(names) > MAX_ARTIFACTS else (sorted(names), problems)


def _walk(root: int, user: User | None, problems: list[str]) -> Iterator[str]:
    """Yield the name of each file, and add a problem for each one with a name that is refused."""
    entries = 0
    pending: list[tuple[str, ...]] = [()]
    while pending:
        path = pending.pop()
        for entry in _list(root, path, user, problems):
            entries += 1
            if entries > MAX_ENTRIES:
                raise _LeftOutError(_TOO_MANY)
            name = "/".join((*path, entry.name))
            if refusal := _refusal(name):
                problems.append(f'artifact "{printable(name)}" is left out: {refusal}')
            elif entry.is_dir(follow_symlinks=False):
                pending.append((*path, entry.name))
            else:
                yield name


def _list(root: int, path: tuple[str, ...], user: User | None, problems: list[str]) -> Iterator[os.DirEntry[str]]:
    try:
        with open_directory(root, (*ARTIFACTS_PATH, *path), user) as directory, os.scandir(directory) as listing:
            yield from listing
    except FileNotFoundError:  # the run has removed it
        return
    except OSError as error:
        where = "/".join(path) or "the directory of artifacts"
        problems.append(f'artifacts in "{printable(where)}" are left out: {error.strerror or error}')


def _refusal(name: str) -> str | None:
    if not name.isprintable() or "\\" in name:
        return "its name has characters that are not printable UTF-8, or a backslash"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"its name has more than {MAX_NAME_BYTES} bytes"
    return None


def _shortened(problems: list[str]) -> list[str]:
    more = len(problems) - _MAX_PROBLEMS
    return problems if more <= 0 else [*problems[:_MAX_PROBLEMS], f"{more} more are left out"]
