"""The limit of open file descriptors of this process."""

from __future__ import annotations

import resource
from contextlib import suppress


def raise_descriptor_limit() -> None:
    """Raise the soft limit to the hard limit.

    The usual soft limit of 1,024 protects programs that call select(2). Connections and runs need more descriptors
    here. Jobs have a separate limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # a container may forbid it, which keeps the soft limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
