"""The disk space of a run that has no file system of its own, counted again and again.

A file does not need a name: an open descriptor, a mapping or a message in flight keeps it as well. So a count adds up
the tree below the run's directories, then the files without a name that its processes hold. The run goes on meanwhile
and may have made the tree large on purpose, so a look counts for `SLICE_SECONDS` and the next look goes on from there.

What shows no size is not free:

- A mapped file that has neither name nor descriptor counts as a quarter of the limit at least. Semaphores lose both as
  a rule, so the size of segments of shared memory is looked up before.
- Descriptors in messages that nobody has read show nothing but their number. They end a run if they stay there while it
  has written more than its limit, or if there are more than `_MAX_IN_FLIGHT`.
- A process that cannot be looked into, because its program may not be read, ends a run if it stays.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from scheduler_service.sandbox.accounting.held_files import Held, find_held, threads_of, written_bytes
from scheduler_service.sandbox.kernel.identity import User, acting_as
from scheduler_service.sandbox.kernel.open_beneath import open_directory

SLICE_SECONDS = 0.02
DEEPEST = 250  # a walk keeps the path of each directory that it has not listed yet
_FILES_PER_MB, _MORE_FILES = 256, 1024
_AT_A_TIME = 256
_COUNTS_UNTIL_CERTAIN = 3  # a process that just executes a program is closed for a moment
_MAX_IN_FLIGHT = 256
_UNKNOWN_SHARE = 4
_BLOCK = 512
_ROOT = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class DiskCount:
    """Counts the files of one run again and again.

    `user` owns the files, if it is not our user. `unlinked` has descriptors of shared memory segments without names, by
    inode; those that cannot grow any more are closed. The last of the directories is that of segments.
    `used_bytes` is the result of the last whole count.
    """

    def __init__(
        self,
        directories: Sequence[str],
        disk_mb: int,
        user: User | None = None,
        unlinked: dict[int, int] | None = None,
    ) -> None:
        self._directories = [os.path.realpath(directory) for directory in directories]
        self._disk_mb = disk_mb
        self._max_bytes, self._max_files = disk_mb << 20, _MORE_FILES + _FILES_PER_MB * disk_mb
        self._user = user
        self._pids: Sequence[int] = ()
        self._count: Iterator[str | None] | None = None
        self._sizes: dict[tuple[int, int], int] = {}
        self._unlinked = {} if unlinked is None else unlinked
        self._settled: dict[int, int] = {}
        self._bytes = self._files = self._closed_counts = self._flying_counts = 0
        self._reserved_before = self._reserved = 0
        self.used_bytes = 0

    def look(self, pids: Sequence[int]) -> str | None:
        """Begin a count or continue it. Return why the run must end, or None."""
        self._pids = pids
        deadline = time.monotonic() + SLICE_SECONDS
        self._count = self._count or self._take()
        for complaint in self._count:
            if complaint is not None:
                return complaint
            if time.monotonic() > deadline:
                return None
        self._count = None
        return None

    def close(self) -> None:
        """Drop a count that is not finished."""
        self._count = None

    def reserve(self, size: int) -> bool:
        """Reserve `size` bytes that are about to be allocated. Return False if they are beyond the limit."""
        if self.used_bytes + self._reserved_before + self._reserved + size > self._max_bytes:
            return False
        self._reserved += size
        return True

    def _take(self) -> Iterator[str | None]:
        """Count once, some files at each step."""
        self._sizes, self._bytes, self._files = {}, 0, 0
        self._reserved_before, self._reserved = self._reserved, 0  # this count finds the former, perhaps not the latter
        for directory in self._directories:
            yield from self._walk(directory)
        held, unlinked = Held(self._directories), dict(self._unlinked)
        for pid in self._pids:
            for thread in threads_of(pid):
                find_held(held, pid, thread, self._user)
                yield None
        for identity, size in held.open_files.items():
            self._add(identity, size)
        self._files += len(held.open_files)
        self._settle(held, unlinked)
        self._add_mapped(held, unlinked)
        yield self._judge() or self._judge_unseen(held)
        self.used_bytes, self._reserved_before = self._bytes, 0

    def _walk(self, directory: str) -> Iterator[str | None]:
        try:
            root = os.open(directory, _ROOT)
        except FileNotFoundError:  # shared memory has none until it is used
            return
        try:
            pending: list[tuple[str, ...]] = [()]
            while pending:
                path = pending.pop()
                if len(path) > DEEPEST:
                    yield f"made a tree of directories that is more than {DEEPEST} deep"
                for found in self._list(root, path):
                    pending += ((*path, name) for name, status in found if stat.S_ISDIR(status.st_mode))
                    for _, status in found:
                        self._add((status.st_dev, status.st_ino), status.st_blocks * _BLOCK)
                    self._files += len(found)
                    yield self._judge()
        finally:
            os.close(root)

    def _list(self, root: int, path: tuple[str, ...]) -> Iterator[list[tuple[str, os.stat_result]]]:
        """Yield the entries of a directory in batches, without those that have vanished meanwhile."""
        with suppress(OSError), open_directory(root, path, self._user) as directory, os.scandir(directory) as listing:
            while entries := list(islice(listing, _AT_A_TIME)):
                yield list(self._examine(entries))

    def _examine(self, entries: list[os.DirEntry[str]]) -> Iterator[tuple[str, os.stat_result]]:
        with acting_as(self._user):
            for entry in entries:
                with suppress(OSError):
                    yield entry.name, entry.stat(follow_symlinks=False)

    def _add(self, identity: tuple[int, int], size: int) -> None:
        self._bytes += size - self._sizes.get(identity, 0)
        self._sizes[identity] = size

    def _settle(self, held: Held, unlinked: dict[int, int]) -> None:
        """Record the sizes of segments that had lost their names before `held` was read.

        A segment that no descriptor refers to cannot grow any more, and is closed.
        """
        growing = {number for _, number in held.open_files}
        in_doubt = bool(held.in_flight or held.closed_processes)
        for number, handle in unlinked.items():
            status = os.fstat(handle)
            self._settled[number] = max(status.st_blocks * _BLOCK, status.st_size)
            if number not in growing and not in_doubt:
                os.close(self._unlinked.pop(number))

    def _add_mapped(self, held: Held, unlinked: dict[int, int]) -> None:
        mapped = dict(held.only_mapped())
        self._settled = {n: size for n, size in self._settled.items() if n in mapped or n in unlinked}
        named = {number for _, number in self._sizes} | set(self._unlinked)
        if mapped:
            named |= self._number_segments()
        self._files += len(mapped)
        for number in mapped.keys() - named:
            least = self._settled.get(number, self._max_bytes // _UNKNOWN_SHARE)
            self._add((-1, number), max(mapped[number], least))

    def _number_segments(self) -> set[int]:
        """Return the inodes of the segments that have names now, which may be newer than the walk of this count.

        sem_open(3) makes a semaphore under a temporary name, so its mapping seems to have none.
        """
        with suppress(FileNotFoundError), acting_as(self._user), os.scandir(self._directories[-1]) as listing:
            return {entry.inode() for entry in islice(listing, self._max_files)}
        return set()

    def _judge(self) -> str | None:
        if self._bytes > self._max_bytes:
            return f"wrote more than {self._disk_mb} MiB of files"
        if self._files > self._max_files:
            return f"made more than {self._max_files} files"
        return None

    def _judge_unseen(self, held: Held) -> str | None:
        self._closed_counts = self._closed_counts + 1 if held.closed_processes else 0
        self._flying_counts = self._flying_counts + 1 if held.in_flight else 0
        if self._closed_counts >= _COUNTS_UNTIL_CERTAIN:
            return "ran a program that it may not read, so that the files of that process cannot be counted"
        if self._flying_counts < _COUNTS_UNTIL_CERTAIN:
            return None
        if held.in_flight > _MAX_IN_FLIGHT or written_bytes(self._pids, self._user) > self._max_bytes:
            return f"kept {held.in_flight} file descriptors in messages, where files cannot be counted"
        return None
