"""The files without a name that processes hold: by descriptors, by mappings, in messages under way.

An unlinked file takes disk space until its last holder is gone, and no walk of a directory finds it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

from scheduler_service.sandbox.kernel.identity import User, acting_as

_GONE = " (deleted)"
_BLOCK = 512
_INODE, _PATH = 4, 5  # fields of a line of proc_pid_maps(5)


@dataclass(slots=True)
class Held:
    """What processes hold. A descriptor shows device and inode of a file, a mapping the inode and the last name.

    Mapped files count only below `directories`. Others are memory that has a name, or belong to the host.
    """

    directories: Sequence[str]
    open_files: dict[tuple[int, int], int] = field(default_factory=dict)
    open_names: dict[str, set[int]] = field(default_factory=dict)
    mapped: dict[str, dict[int, int]] = field(default_factory=dict)
    in_flight: int = 0
    closed_processes: int = 0
    with_maps: set[int] = field(default_factory=set)

    def only_mapped(self) -> Iterator[tuple[int, int]]:
        """Yield number and mapped bytes of files that no descriptor shows.

        On some file systems a mapping tells another number than stat(2) does. So of files with the same last name, as
        many as have descriptors are taken for the same.
        """
        for name, sizes in self.mapped.items():
            numbers = self.open_names.get(name, set())
            unmatched = [(number, size) for number, size in sizes.items() if number not in numbers]
            yield from unmatched[len(numbers - sizes.keys()) :]


def threads_of(pid: int) -> list[str]:
    """Return the ids of the threads of a process.

    Each may have descriptors of its own, and the process shows those of its first thread, which may have ended.
    """
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def find_held(held: Held, pid: int, thread: str, user: User | None) -> None:
    """Add to `held` what a thread holds. `user` is its user, if that is not ours.

    A thread that has ended holds nothing. A process that may not be looked into is counted as closed.
    """
    place = f"/proc/{pid}/task/{thread}"
    try:
        _look_into(held, place, pid, user)
    except PermissionError:
        try:
            _look_into(held, place, pid, None)  # a process that was just forked still has our user
        except PermissionError:
            held.closed_processes += _is_alive(place)
        except OSError:
            return
    except OSError:
        return


def written_bytes(pids: Sequence[int], user: User | None) -> int:
    """Return the bytes that `pids` and our ended children have written, to any descriptor; see proc_pid_io(5)."""
    total = _written("self")
    with acting_as(user):
        for pid in pids:
            with suppress(OSError):
                total += _written(str(pid))
    return total


def _written(process: str) -> int:
    with open(f"/proc/{process}/io", encoding="utf-8") as file:
        counts = dict(line.split(": ") for line in file.read().splitlines())
    return max(int(counts["wchar"]), int(counts["write_bytes"]))


def _look_into(held: Held, place: str, pid: int, user: User | None) -> None:
    with acting_as(user):
        for descriptor in os.listdir(f"{place}/fd"):
            with suppress(FileNotFoundError):
                _add_open(held, place, descriptor)
        if pid in held.with_maps:  # all threads have the same
            return
        with open(f"{place}/maps", "rb") as file:
            maps = file.read()
    if maps:
        held.with_maps.add(pid)
    if _GONE.encode() in maps:
        for line in os.fsdecode(maps).splitlines():
            if line.endswith(_GONE):
                _add_mapped(held, line)


def _add_open(held: Held, place: str, descriptor: str) -> None:
    link = f"{place}/fd/{descriptor}"
    status = os.stat(link)
    if stat.S_ISSOCK(status.st_mode):
        held.in_flight += _in_flight(f"{place}/fdinfo/{descriptor}")
    elif stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and status.st_dev != _device_of_memory():
        held.open_files[status.st_dev, status.st_ino] = status.st_blocks * _BLOCK
        with suppress(OSError):  # a name may be too long to be told
            held.open_names.setdefault(os.readlink(link).replace("\n", r"\012"), set()).add(status.st_ino)


def _is_alive(place: str) -> bool:
    """Return whether a thread has memory. One that is about to end has none, and may not be looked into either."""
    with suppress(OSError), open(f"{place}/statm", encoding="utf-8") as file:
        return not file.read().startswith("0 ")
    return False


def _in_flight(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("scm_fds:"):
                return int(line.split()[1])
    return 0


@cache
def _device_of_memory() -> int:
    """Return the device of memfd_create(2), whose files are counted as memory."""
    file = os.memfd_create("device")
    try:
        return os.fstat(file).st_dev
    finally:
        os.close(file)


def _add_mapped(held: Held, line: str) -> None:
    fields = line.split(maxsplit=_PATH)
    name = fields[_PATH]
    if any(name.startswith(f"{directory}/") for directory in held.directories):
        start, _, end = fields[0].partition("-")
        sizes, number = held.mapped.setdefault(name, {}), int(fields[_INODE])
        sizes[number] = sizes.get(number, 0) + int(end, 16) - int(start, 16)
