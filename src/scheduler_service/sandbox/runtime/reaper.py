"""Ending every process of a run, whatever it does against it, and reaping them all."""

from __future__ import annotations

import os
import resource
import signal
import time
from contextlib import suppress

from scheduler_service.sandbox.accounting.process_stats import children_of
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.kernel.cgroup import Cgroup
from scheduler_service.sandbox.kernel.identity import become_user

_PAUSE_SECONDS = 0.001


def kill_all(layers: frozenset[Layer], uid: int, cgroup: Cgroup | None) -> None:
    """Kill all processes of the run that this process (its supervisor) watches over, and wait until they are gone.

    In a PID namespace, in a cgroup, under a user of their own, or where Landlock keeps signals within the run, one call
    reaches all at the same instant; a process that forks meanwhile fails to. Otherwise the tree is walked until nothing
    is left, each process losing its right to fork first. A fork bomb starts processes faster than a walk ends them.
    """
    if Layer.PID_NAMESPACE in layers:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        while reap() is not None:
            pass
        return
    if cgroup is not None:
        cgroup.kill()
    if Layer.OWN_USER in layers:
        _kill_user(uid)
    elif _signals_stay_within():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
    _kill_tree()  # a job that was still waiting has no user of its own yet


def kill_children(spared: frozenset[int]) -> bool:
    """Kill and reap the children of this process but for `spared`; returns whether there were any.

    What they leave become our children in turn, so call again until there are none.
    """
    strangers = [pid for pid in children_of(os.getpid()) if pid not in spared]
    for pid in strangers:
        _disarm_and_kill(pid)
    for pid in strangers:
        os.waitpid(pid, 0)
    return bool(strangers)


def reap(options: int = 0) -> tuple[int, int] | None:
    """Wait for any child: its pid and status, `(0, 0)` if none has ended with WNOHANG, None if there is none."""
    try:
        return os.waitpid(-1, options)
    except ChildProcessError:
        return None


def _signals_stay_within() -> bool:
    """Return whether this process can signal nobody outside the run: not even its parent, which has the same user."""
    try:
        os.kill(os.getppid(), 0)
    except PermissionError:
        return True
    except ProcessLookupError:  # a parent in another PID namespace says nothing
        return False
    return False


def _kill_user(uid: int) -> None:
    killer = os.fork()
    if killer == 0:
        try:
            become_user(uid)
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # spares only the caller
        finally:
            os._exit(0)
    os.waitpid(killer, 0)


def _kill_tree() -> None:
    while (ended := reap(os.WNOHANG)) is not None:
        if ended == (0, 0):
            _kill_descendants()
            time.sleep(_PAUSE_SECONDS)


def _kill_descendants() -> None:
    """Kill each as soon as it is found: what it forks while others are looked for is one more to find."""
    pending = [os.getpid()]
    while pending:
        for pid in children_of(pending.pop()):
            _disarm_and_kill(pid)
            pending.append(pid)


def _disarm_and_kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # CAP_SYS_RESOURCE may be missing, even to root
        resource.prlimit(pid, resource.RLIMIT_NPROC, (0, 0))
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
