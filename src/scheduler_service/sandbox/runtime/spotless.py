"""Whether a supervisor is as it was before its first run, so that it may take another one.

The code that handles a run closes what it opened. This is the check that it did, and that no job has changed what the
kernel allows a process to change of others with its user id: their limits, priority and processors.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence

_LIMITS = sorted(value for name, value in vars(resource).items() if name.startswith("RLIMIT_"))
_OWN_DESCRIPTORS, _OWN_NETWORK = "/proc/self/fd", "/proc/self/ns/net"


class State:
    """What must be the same after each run: of this process, and of `others` whose settings jobs may change too."""

    def __init__(self, others: Sequence[int], *, shares_user: bool) -> None:
        """`shares_user` says that jobs have the user id of this process."""
        self._watched = (os.getpid(), *others) if shares_user else ()
        self._descriptors = count_descriptors()
        self._network = os.readlink(_OWN_NETWORK)
        self._settings = self._read_settings()

    def is_unchanged(self, more: int) -> bool:
        """Check it. `more` descriptors are known to be open besides."""
        return (
            count_descriptors() == self._descriptors + more
            and os.readlink(_OWN_NETWORK) == self._network
            and self._read_settings() == self._settings
        )

    def _read_settings(self) -> list[object]:
        return [_settings_of(pid) for pid in self._watched]


def count_descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(os.listdir(_OWN_DESCRIPTORS))


def _settings_of(pid: int) -> object:
    return (
        os.getpriority(os.PRIO_PROCESS, pid),
        os.sched_getscheduler(pid),
        os.sched_getparam(pid),
        os.sched_getaffinity(pid),
        [resource.prlimit(pid, limit) for limit in _LIMITS],
    )
