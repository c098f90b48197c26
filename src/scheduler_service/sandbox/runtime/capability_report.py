"""The report of `scheduler doctor` on this host: each promise of a level, whether it holds, and what helps if not.

Runs in an interpreter of its own, started like a zygote, because its checks fork and confine themselves.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scheduler_service.sandbox.confinement.run_root import closed_directory
from scheduler_service.sandbox.contract.spec import Level
from scheduler_service.sandbox.runtime import capability_checks as checks

_REMEDY_FOR_PROCESSES = (
    "give the service CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_CHOWN, CAP_KILL and CAP_DAC_OVERRIDE, or start it as "
    "another user than root"
    if checks.AS_ROOT
    else "use Linux 6.12 or newer (Landlock ABI 6), or start the service as root, so that jobs get users of their own"
)


@dataclass(frozen=True, slots=True)
class CapabilityCheck:
    """A promise of `levels`. `check` raises if it does not hold, and `remedy` says what the operator can do then.

    A promise without levels is for information: no level depends on it.
    """

    levels: tuple[Level, ...]
    promise: str
    check: Callable[[], None]
    remedy: str


def main(report: int) -> None:
    """Check every promise, and write the results to the descriptor `report`, as JSON."""
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        results = [(each.levels, each.promise, _run_in_child(each.check), each.remedy) for each in _CHECKS]
        os.chdir("/")
    with os.fdopen(report, "w", encoding="utf-8") as file:
        json.dump(results, file)


def _run_in_child(check: Callable[[], None]) -> str | None:
    """Run `check` in a child. Return what it raised as text; None if nothing."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            check()
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is the answer)
            os.write(theirs, f"{type(error).__name__}: {error}".encode()[:4000])
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as answer:
        said = answer.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return said or (f"the check died with status {status}" if status else None)


def _remedy_for_python() -> str:
    closed = closed_directory(Path(os.__file__)) or sys.base_prefix
    return (
        f"{str(closed)!r} is closed to other users, who need Python from there: make it searchable (chmod o+x), "
        "install Python elsewhere, or start the service as another user than root"
    )


_BOTH = (Level.STRICT, Level.STANDARD)
_KERNEL = "use Linux 5.13 or newer with Landlock in CONFIG_LSM"
_CHECKS = [
    CapabilityCheck(_BOTH, "reaches no files but its own and the system's programs", checks.check_files, _KERNEL),
    CapabilityCheck(
        _BOTH,
        "touches no process but its own",
        checks.check_processes,
        _REMEDY_FOR_PROCESSES,
    ),
    CapabilityCheck(
        _BOTH,
        "makes no dangerous system call and no network connection",
        checks.check_system_calls,
        "allow seccomp filters (CONFIG_SECCOMP_FILTER, and no container profile that denies prctl)",
    ),
    CapabilityCheck(
        _BOTH, "keeps to its limits", checks.check_limits, "use a kernel with RLIMIT_DATA for mappings (4.7)"
    ),
    CapabilityCheck(
        _BOTH,
        "leaves no process behind",
        checks.check_orphans,
        "use a kernel with CONFIG_PROC_CHILDREN and mount /proc",
    ),
    *(
        [
            CapabilityCheck(
                (Level.STANDARD,),  # at `strict` the run's own root opens the way
                "runs as a user of its own",
                checks.check_user,
                _remedy_for_python(),
            )
        ]
        if checks.AS_ROOT
        else []
    ),
    CapabilityCheck(
        (Level.STRICT,),
        "sees nothing of the host but programs, read-only",
        checks.check_namespaces,
        "allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, AppArmor), or start "
        "the service with CAP_SYS_ADMIN",
    ),
    CapabilityCheck(
        (),
        "has a file system of its own, in which the kernel holds disk_mb",
        checks.check_namespaces,
        "optional, `standard` counts files every 0.1 s instead, and a run may exceed disk_mb meanwhile: see to what "
        "`strict` needs, or put the directory of runs (SCHEDULER_RUN_DIR) on a volume of its own",
    ),
    CapabilityCheck(
        (),
        "has UNIX sockets of its own, and network if it asks for it",
        checks.check_sockets,
        "use Linux 5.19 or newer; in a container, allow the system call pidfd_getfd, which the default profiles do if "
        "the capability SYS_PTRACE is added; until then, runs with network: true are refused",
    ),
    CapabilityCheck(
        (),
        "has its processes counted by the kernel apart from those of other runs",
        checks.check_task_count,
        "optional, otherwise processes are counted every 0.1 s and a run with too many is ended: see to what `strict` "
        "needs and use Linux 5.14 or newer; in a container as root, give it a user namespace of its own (`hostUsers: "
        "false`, userns-remap)",
    ),
    CapabilityCheck(
        (),
        "has a cgroup, in which the kernel holds the whole run at once",
        checks.check_cgroup,
        "optional, no level needs it: with systemd, Delegate=yes in the service's unit; in a container, a private and "
        "writable cgroup v2",
    ),
]
