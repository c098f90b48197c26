"""The processes that a run leaves behind when its main process has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

LINGER_SECONDS = 0.1
"""A process closes its output a moment before it is a zombie, so it is no leftover within this time."""

_PAUSE_SECONDS = 0.002
_STATE, _GROUP = 0, 2  # fields of proc_pid_stat(5), after the name
_ENDED = frozenset("ZX")


def wait_for_leftovers(find: Callable[[], Iterable[int]], group: int | None = None) -> int:
    """Return how many of the processes that `find` lists keep running; with `group`, only those of the process group.

    The main process must have ended. Takes `LINGER_SECONDS` if any are running.
    """
    deadline = time.monotonic() + LINGER_SECONDS
    while (count := sum(_is_running(pid, group) for pid in find())) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    return count


def _is_running(pid: int, group: int | None) -> bool:
    with suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
        return fields[_STATE] not in _ENDED and group in {None, int(fields[_GROUP])}
    return False
