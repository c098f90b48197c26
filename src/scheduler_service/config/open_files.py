"""The limit of open files of this process."""

from __future__ import annotations

import resource
from contextlib import suppress

# More than the connections, runs and logs of one process need. Very high limits slow down programs that close all
# descriptors.
ENOUGH = 65_536


def raise_open_files() -> int:
    """Raise the soft limit of open files up to `ENOUGH`, and return it.

    The usual soft limit of 1,024 protects programs that call select(2). Nothing here does. Jobs have
    another limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # a container may forbid it, which keeps the soft limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return open_files()


def open_files() -> int:
    """Return the soft limit of open files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if soft == resource.RLIM_INFINITY else soft
