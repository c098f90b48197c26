"""Trying out what this host can hold: each promise is put to the test by a process that is thrown away after.

Runs in an interpreter of its own, started like a zygote, because it forks and confines itself.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from scheduler_service.sandbox.accounting.process_stats import children_of
from scheduler_service.sandbox.broker.broker_check import why_not_brokered
from scheduler_service.sandbox.confinement import root
from scheduler_service.sandbox.confinement.cell import Confinement
from scheduler_service.sandbox.confinement.delegation import claim_groups, find_delegated
from scheduler_service.sandbox.confinement.place import closed_directory
from scheduler_service.sandbox.contract.layers import layers_of
from scheduler_service.sandbox.contract.network_policy import NetworkPolicy
from scheduler_service.sandbox.contract.spec import Level
from scheduler_service.sandbox.kernel import landlock
from scheduler_service.sandbox.kernel.cgroup import Group, open_groups
from scheduler_service.sandbox.kernel.identity import (
    FIRST_UID,
    become_user,
    counts_tasks_by_namespace,
    enter_user_namespace,
    sees_all_tasks,
)
from scheduler_service.sandbox.kernel.seccomp import enforce
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
_REMEDY_FOR_PROCESSES = (
    "give the service CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_CHOWN, CAP_KILL and CAP_DAC_OVERRIDE, or start it as "
    "another user than root"
    if AS_ROOT
    else "use Linux 6.12 or newer (Landlock ABI 6), or start the service as root, so that jobs get users of their own"
)


@dataclass(frozen=True, slots=True)
class Trial:
    """A promise of `levels`, tried by `attempt`, which raises where it is not held; `remedy` is for the operator.

    One that no level depends on has none.
    """

    levels: tuple[Level, ...]
    promise: str
    attempt: Callable[[], None]
    remedy: str


def main(report: int) -> None:
    """Try every promise and write what came of it to the descriptor `report`, as JSON."""
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        results = [(trial.levels, trial.promise, _try_apart(trial.attempt), trial.remedy) for trial in _TRIALS]
        os.chdir("/")
    with os.fdopen(report, "w", encoding="utf-8") as file:
        json.dump(results, file)


def _try_apart(attempt: Callable[[], None]) -> str | None:
    """Run `attempt` in a child; returns what it raised as text, None if nothing."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            attempt()
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is the answer)
            os.write(theirs, f"{type(error).__name__}: {error}".encode()[:4000])
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as answer:
        said = answer.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return said or (f"the trial died with status {status}" if status else None)


def _expect_refusal(action: Callable[[], object], what: str) -> None:
    try:
        action()
    except OSError:
        return
    raise AssertionError(f"{what} was possible")


def _hold_files() -> None:
    prctl(Prctl.SET_NO_NEW_PRIVS, 1)
    rules = landlock.Ruleset()
    rules.allow_everything_below(".")
    rules.enforce()
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY))
    _expect_refusal(lambda: os.listdir("/etc"), "reading outside of what was allowed")


def _hold_processes() -> None:
    if AS_ROOT:
        become_user(FIRST_UID)
    else:
        prctl(Prctl.SET_NO_NEW_PRIVS, 1)
        landlock.Ruleset().enforce()
    _expect_refusal(lambda: os.kill(os.getppid(), 0), "signalling a process of the service")


def _hold_user() -> None:
    become_user(FIRST_UID)
    with open(os.__file__, "rb"):
        pass


def _hold_system_calls() -> None:
    prctl(Prctl.SET_NO_NEW_PRIVS, 1)
    layers = layers_of(Level.STANDARD, as_root=AS_ROOT)
    enforce(Confinement(layers, 0, NetworkPolicy(), None, 0, broker_failure="not tried here").filter_for(network=False))
    _expect_refusal(lambda: unshare(CLONE_NEWNS), "a filtered system call")
    _expect_refusal(lambda: socket.socket(socket.AF_INET), "making a network socket")


def _hold_sockets() -> None:
    failure = why_not_brokered(layers_of(Level.STANDARD, as_root=AS_ROOT), FIRST_UID)
    if failure:
        raise AssertionError(failure)


def _hold_limits() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 20, 1 << 20))
    _expect_refusal(lambda: mmap.mmap(-1, 1 << 26, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), "taking memory")


def _hold_orphans() -> None:
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


def _hold_namespaces() -> None:
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
        root.enter_new_root(mountpoint, [os.getuid()])
        root.mount_private(os.getuid())
        root.resize_private(1)
        _expect_refusal(lambda: os.mkdir("/made"), "writing to the root")
        alone = os.getpid() == 1 and [name for name in os.listdir("/proc") if name.isdigit()] == ["1"]
        os._exit(0 if alone else 1)
    except BaseException:  # noqa: BLE001
        os._exit(1)


def _hold_count() -> None:
    if AS_ROOT:
        counted = sees_all_tasks()
    else:
        enter_user_namespace()
        counted = counts_tasks_by_namespace()
    if not counted:
        raise AssertionError("the kernel counts tasks of other runs, or of other containers, together with a run's")


def _hold_whole_run() -> None:
    claim = claim_groups(find_delegated())
    group = Group(open_groups(str(claim.path)))
    child = os.fork()
    if child == 0:
        _try_forking(group)
    _, status = os.waitpid(child, 0)
    group.remove()
    claim.release()
    if status:
        raise AssertionError("a process could not enter it, or start more than it allows")


def _try_forking(group: Group) -> NoReturn:
    with suppress(BaseException):
        group.enter()
        group.limit(1 << 26, 1)
        _expect_refusal(os.fork, "starting a process beyond the limit")
        os._exit(0)
    os._exit(1)


def _remedy_for_python() -> str:
    closed = closed_directory(Path(os.__file__)) or sys.base_prefix
    return (
        f"{str(closed)!r} is closed to other users, who need Python from there: make it searchable (chmod o+x), "
        "install Python elsewhere, or start the service as another user than root"
    )


_BOTH = (Level.STRICT, Level.STANDARD)
_KERNEL = "use Linux 5.13 or newer with Landlock in CONFIG_LSM"
_TRIALS = [
    Trial(_BOTH, "reaches no files but its own and the system's programs", _hold_files, _KERNEL),
    Trial(
        _BOTH,
        "touches no process but its own",
        _hold_processes,
        _REMEDY_FOR_PROCESSES,
    ),
    Trial(
        _BOTH,
        "makes no dangerous system call and no network connection",
        _hold_system_calls,
        "allow seccomp filters (CONFIG_SECCOMP_FILTER, and no container profile that denies prctl)",
    ),
    Trial(_BOTH, "keeps to its limits", _hold_limits, "use a kernel with RLIMIT_DATA for mappings (4.7)"),
    Trial(
        _BOTH,
        "leaves no process behind",
        _hold_orphans,
        "use a kernel with CONFIG_PROC_CHILDREN and mount /proc",
    ),
    *(
        [
            Trial(
                (Level.STANDARD,),  # at `strict` the run's own root opens the way
                "runs as a user of its own",
                _hold_user,
                _remedy_for_python(),
            )
        ]
        if AS_ROOT
        else []
    ),
    Trial(
        (Level.STRICT,),
        "sees nothing of the host but programs, read-only",
        _hold_namespaces,
        "allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, AppArmor), or start "
        "the service with CAP_SYS_ADMIN",
    ),
    Trial(
        (),
        "has a file system of its own, in which the kernel holds disk_mb",
        _hold_namespaces,
        "optional, `standard` counts files every 0.1 s instead, and a run may exceed disk_mb meanwhile: see to what "
        "`strict` needs, or put the directory of runs (SCHEDULER_RUN_DIR) on a volume of its own",
    ),
    Trial(
        (),
        "has UNIX sockets of its own, and network if it asks for it",
        _hold_sockets,
        "use Linux 5.19 or newer; in a container, allow the system call pidfd_getfd, which the default profiles do if "
        "the capability SYS_PTRACE is added; until then, runs with network: true are refused",
    ),
    Trial(
        (),
        "has its processes counted by the kernel apart from those of other runs",
        _hold_count,
        "optional, otherwise processes are counted every 0.1 s and a run with too many is ended: see to what `strict` "
        "needs and use Linux 5.14 or newer; in a container as root, give it a user namespace of its own (`hostUsers: "
        "false`, userns-remap)",
    ),
    Trial(
        (),
        "has a cgroup, in which the kernel holds the whole run at once",
        _hold_whole_run,
        "optional, no level needs it: with systemd, Delegate=yes in the service's unit; in a container, a private and "
        "writable cgroup v2",
    ),
]
