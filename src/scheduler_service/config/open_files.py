"""How many descriptors this process may have open."""

from __future__ import annotations

import resource

# As many as connections, runs and logs of one process ever need; a limit without an end has costs of its own.
ENOUGH = 65_536


def raise_open_files() -> int:
    """Raise the soft limit of open files as far as it helps, and return it.

    The usual soft limit is 1,024 and stands for programs that call select(2); nothing here does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return open_files()


def open_files() -> int:
    """Return the soft limit of open files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if soft == resource.RLIM_INFINITY else soft
