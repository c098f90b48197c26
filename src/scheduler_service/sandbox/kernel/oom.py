"""The kernel's OOM killer, which acts if a host or a container has no memory left."""

from __future__ import annotations

from contextlib import suppress

from scheduler_service.sandbox.kernel.proc_files import read_proc, write_proc

_HIGHEST = 1000


def prefer_for_oom_kill() -> None:
    """Set the OOM score so that the kernel kills this process and its descendants before the service.

    Everybody may raise the score (proc_pid_oom_score_adj(5)). A job cannot lower it: it may not write below /proc.
    """
    with suppress(OSError):
        write_proc("/proc/self/oom_score_adj", str(_HIGHEST))


def count_oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory on this host; 0 before Linux 4.13."""
    with suppress(OSError):
        _, name, rest = read_proc("/proc/vmstat").partition(b"\noom_kill ")
        return int(rest.partition(b"\n")[0]) if name else 0
    return 0
