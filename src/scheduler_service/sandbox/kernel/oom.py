"""The kernel's OOM killer, which acts if a host or a container has no memory left."""

from __future__ import annotations

from contextlib import suppress

_HIGHEST = 1000


def prefer_for_oom_kill() -> None:
    """Set the OOM score so that the kernel kills this process and its descendants before the service.

    Everybody may raise the score (proc_pid_oom_score_adj(5)). A job cannot lower it: it may not write below /proc.
    """
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(str(_HIGHEST))


def count_oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory on this host; 0 before Linux 4.13."""
    with suppress(OSError), open("/proc/vmstat", encoding="ascii") as file:
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
