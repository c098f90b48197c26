"""Checks of what this host can hold, each made by doing it. A check raises if the promise does not hold.

Version numbers and settings do not answer the question: a container's profile, a sysctl or a security module may refuse
what the kernel has. Each check confines the process that makes it, so `capability_report` runs each in a child.
"""

from __future__ import annotations

import mmap
import os
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from scheduler_service.sandbox.accounting.process_stats import children_of
from scheduler_service.sandbox.broker.broker_check import why_not_brokered
from scheduler_service.sandbox.confinement import root
from scheduler_service.sandbox.confinement.cell import Confinement
from scheduler_service.sandbox.confinement.delegation import claim_cgroups, find_delegated
from scheduler_service.sandbox.contract.layers import layers_of
from scheduler_service.sandbox.contract.spec import Level
from scheduler_service.sandbox.kernel import landlock
from scheduler_service.sandbox.kernel.cgroup import Cgroup, open_cgroups
from scheduler_service.sandbox.kernel.identity import (
    FIRST_UID,
    User,
    become_user,
    counts_tasks_by_namespace,
    enter_user_namespace,
    sees_all_tasks,
)
from scheduler_service.sandbox.kernel.seccomp import Filter
from scheduler_service.sandbox.kernel.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    Prctl,
    prctl,
    unshare,
)

AS_ROOT = os.geteuid() == 0


def check_files() -> None:
    """Raise if this process can read files that Landlock does not allow it."""
    prctl(Prctl.SET_NO_NEW_PRIVS, 1)
    rules = landlock.Ruleset()
    rules.allow_everything_below(".")
    rules.enforce()
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY))
    _expect_refusal(lambda: os.listdir("/etc"), "reading outside of what was allowed")


def check_processes() -> None:
    """Raise if this process can signal a process of the service."""
    if AS_ROOT:
        become_user(User(FIRST_UID, FIRST_UID))
    else:
        prctl(Prctl.SET_NO_NEW_PRIVS, 1)
        landlock.Ruleset().enforce()
    _expect_refusal(lambda: os.kill(os.getppid(), 0), "signalling a process of the service")


def check_user() -> None:
    """Raise OSError if the user of a job cannot read Python's library."""
    become_user(User(FIRST_UID, FIRST_UID))
    with open(os.__file__, "rb"):
        pass


def check_system_calls() -> None:
    """Raise if the filter lets a forbidden system call through."""
    prctl(Prctl.SET_NO_NEW_PRIVS, 1)
    layers = layers_of(Level.STANDARD, as_root=AS_ROOT)
    confinement = Confinement(layers, User(0, 0), None, 0, broker_failure="not checked here")
    Filter(confinement.filter_for(network=False)).enforce()
    _expect_refusal(lambda: unshare(CLONE_NEWNS), "a filtered system call")
    _expect_refusal(lambda: socket.socket(socket.AF_INET), "making a network socket")


def check_sockets() -> None:
    """Raise if the supervisor cannot answer system calls of a job."""
    failure = why_not_brokered(layers_of(Level.STANDARD, as_root=AS_ROOT), User(FIRST_UID, FIRST_UID))
    if failure:
        raise AssertionError(failure)


def check_limits() -> None:
    """Raise if a process can take more memory than its limit."""
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 20, 1 << 20))
    _expect_refusal(lambda: mmap.mmap(-1, 1 << 26, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), "taking memory")


def check_orphans() -> None:
    """Raise if an orphan does not become a child of its supervisor."""
    prctl(Prctl.SET_CHILD_SUBREAPER, 1)
    orphan = os.fork()
    if orphan == 0:
        if os.fork():
            os._exit(0)
        signal.pause()
    os.waitpid(orphan, 0)
    left = children_of(os.getpid())
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    if len(left) != 1:
        raise AssertionError("an orphan was not found below its supervisor")


def check_namespaces() -> None:
    """Raise if a read-only root with a /proc of its own cannot be made."""
    if not AS_ROOT:
        enter_user_namespace()
    unshare(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC)
    child = os.fork()
    if child == 0:
        _expect_own_world(os.getcwd())
    if os.waitpid(child, 0)[1]:
        raise AssertionError("a read-only root with a /proc of its own cannot be made here")


def _expect_own_world(mountpoint: str) -> None:
    try:
        unshare(CLONE_NEWNS)
        own = User(os.getuid(), os.getgid())
        root.enter_new_root(mountpoint, [own])
        root.mount_private(own)
        root.resize_private(1)
        _expect_refusal(lambda: os.mkdir("/made"), "writing to the root")
        alone = os.getpid() == 1 and [name for name in os.listdir("/proc") if name.isdigit()] == ["1"]
        os._exit(0 if alone else 1)
    except BaseException:  # noqa: BLE001
        os._exit(1)


def check_task_count() -> None:
    """Raise if the kernel counts tasks of other runs together with a run's."""
    if AS_ROOT:
        counted = sees_all_tasks()
    else:
        enter_user_namespace()
        counted = counts_tasks_by_namespace()
    if not counted:
        raise AssertionError("the kernel counts tasks of other runs, or of other containers, together with a run's")


def check_cgroup() -> None:
    """Raise if a cgroup cannot be made, or does not limit the number of processes."""
    claim = claim_cgroups(find_delegated())
    cgroup = Cgroup(open_cgroups(str(claim.path)))
    child = os.fork()
    if child == 0:
        _fork_beyond_limit(cgroup)
    _, status = os.waitpid(child, 0)
    cgroup.remove()
    claim.release()
    if status:
        raise AssertionError("a process could not enter it, or start more than it allows")


def _fork_beyond_limit(cgroup: Cgroup) -> NoReturn:
    with suppress(BaseException):
        cgroup.enter()
        cgroup.limit(1 << 26, 1)
        _expect_refusal(os.fork, "starting a process beyond the limit")
        os._exit(0)
    os._exit(1)


def _expect_refusal(action: Callable[[], object], what: str) -> None:
    try:
        action()
    except OSError:
        return
    raise AssertionError(f"{what} was possible")
