"""How many files and connections this process may have open."""

from __future__ import annotations

import resource
from contextlib import suppress


def raise_descriptor_limit() -> None:
    """Raise the soft limit to the hard one.

    The usual soft limit, 1,024, is for programs that use select(2). Every connection of a client and every run takes
    descriptors here. Jobs have a limit of their own.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # a container may forbid it; then the soft limit stays
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
