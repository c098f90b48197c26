"""The end of every process of a run, whatever it does against it.

kill(-1) signals every process that the caller may signal, in one call that holds the kernel's list of processes
(kill(2)). So it is used if something confines it to the run: a PID namespace, a user id, or Landlock.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from contextlib import suppress

from scheduler_service.sandbox.accounting.children import Children
from scheduler_service.sandbox.accounting.process_stats import children_of
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.kernel.cgroup import Cgroup
from scheduler_service.sandbox.kernel.identity import User, become_user

_PAUSE_SECONDS = 0.001


def kill_all(layers: frozenset[Layer], user: User, cgroup: Cgroup | None, children: Children) -> None:
    """Kill all processes of the run that this process supervises, and wait until they are gone.

    With a PID namespace, a cgroup, a user id of the run, or Landlock's signal scope, one call kills all processes at
    once, and a fork in progress fails. Otherwise the tree is walked until nothing is left. Each process first loses its
    right to fork, because a fork bomb makes processes faster than a walk kills them. The spawner is killed too.
    """
    if Layer.PID_NAMESPACE in layers:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        while children.reap() is not None:
            pass
        return
    if cgroup is not None:
        cgroup.kill()
    if Layer.OWN_USER in layers:
        _kill_user(user)
    elif _signals_stay_within():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
    _kill_tree(children)  # a job that was still waiting has no user of its own yet


def kill_children(spared: frozenset[int]) -> bool:
    """Kill and reap the children of this process except `spared`. Return whether there were any.

    Their own children then become ours (we are a subreaper), so this must be called until there are none.
    """
    strangers = [pid for pid in children_of(os.getpid()) if pid not in spared]
    for pid in strangers:
        _disarm_and_kill(pid)
    for pid in strangers:
        os.waitpid(pid, 0)
    return bool(strangers)


def _signals_stay_within() -> bool:
    """Return whether this process can signal no process outside the run, judging by its parent of the same user."""
    try:
        os.kill(os.getppid(), 0)
    except PermissionError:
        return True
    except ProcessLookupError:  # a parent in another PID namespace says nothing
        return False
    return False


def _kill_user(user: User) -> None:
    killer = os.fork()
    if killer == 0:
        try:
            become_user(user)
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # spares only the caller
        finally:
            os._exit(0)
    os.waitpid(killer, 0)


def _kill_tree(children: Children) -> None:
    while (ended := children.reap(os.WNOHANG)) is not None:
        if ended == (0, 0):
            _kill_descendants()
            time.sleep(_PAUSE_SECONDS)


def _kill_descendants() -> None:
    """Kill each descendant as soon as it is found, because it may fork while the others are listed."""
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
