"""The cgroup v2 that the host leaves to the service, where it does, and how the service divides it.

The kernel wants a cgroup that is divided to have no processes of its own. So those that are found in it, which are the
service's, move into `scheduler-service`; beside it, in `scheduler-runs`, each process of the service that runs jobs has
a claim, and in that a cgroup for each run.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from scheduler_service.sandbox.confinement.workdir import Claim

SERVICE, RUNS = "scheduler-service", "scheduler-runs"
_CONTROLLERS = ("memory", "pids")
_MARKS = ("user.delegate", "trusted.delegate")  # the second is all that systemd before 251 sets, and only root sees it
_SYSTEMD = Path("/run/systemd/system")  # is there where systemd is the manager, says sd_booted(3)
_ROUNDS = 100
_REMOVAL_SECONDS = 2.0


class NotDelegatedError(Exception):
    """There is no cgroup that the service may divide; says why, for the operator."""


def find_delegated(proc: Path = Path("/proc/self"), systemd: Path = _SYSTEMD) -> Path:
    """Return the cgroup that is the service's to divide; raises `NotDelegatedError` where none is.

    Where systemd manages cgroups, rights are not enough: it may undo, or trip over, what is done to a unit that it has
    not marked as delegated. Elsewhere (in a container, say) the right to write is the delegation. Changes nothing.
    """
    own = _find_own(proc)
    group = own.parent if own.name == SERVICE else own
    missing = [name for name in _CONTROLLERS if name not in _read(group / "cgroup.controllers").split()]
    if missing:
        raise NotDelegatedError(f"{group} has no controller for {' and '.join(missing)}")
    if systemd.exists() and not _is_marked(group):
        raise NotDelegatedError(f"systemd has not delegated {group}")
    for path in (group, group / "cgroup.procs", group / "cgroup.subtree_control"):
        if not os.access(path, os.W_OK):
            raise NotDelegatedError(f"{path} is not ours to write")
    return group


def claim_cgroups(delegated: Path) -> Claim:
    """Divide the cgroup, if no other process of the service has, and return a directory to make cgroups of runs in.

    What processes that were killed have left is removed. Raises OSError where the kernel does not let us.
    """
    _settle(delegated)
    runs = delegated / RUNS
    runs.mkdir(exist_ok=True)
    _enable_controllers(runs)
    claim = Claim(runs, 0o755, _remove_cgroups)
    _enable_controllers(claim.path)
    return claim


def _find_own(proc: Path) -> Path:
    """Find the directory of the cgroup that this process is in; see cgroups(7) and proc_pid_mountinfo(5)."""
    named = [line[3:] for line in _read(proc / "cgroup").splitlines() if line.startswith("0::")]
    if not named:
        raise NotDelegatedError("this host has no cgroup v2")
    for line in _read(proc / "mountinfo").splitlines():
        fields, _, kind = line.partition(" - ")
        root, mountpoint = fields.split()[3:5]
        if kind.startswith("cgroup2 ") and Path(named[0]).is_relative_to(root) and ".." not in Path(named[0]).parts:
            return Path(mountpoint, os.path.relpath(named[0], root))
    raise NotDelegatedError(f"no mounted file system shows the cgroup {named[0]}")


def _is_marked(group: Path) -> bool:
    for name in _MARKS:
        with suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    return False


def _settle(group: Path) -> None:
    """Move all processes of the cgroup one down and have it divide its controllers.

    What is forked, or enters, between the two keeps the kernel from the second, so both are tried again.
    """
    service = group / SERVICE
    service.mkdir(exist_ok=True)
    for rounds_left in reversed(range(_ROUNDS)):
        if (group / "cgroup.type").exists():  # the root of all cgroups has none, and may keep its processes
            _move_processes(group, service)
        try:
            _enable_controllers(group)
        except OSError as error:
            if error.errno != errno.EBUSY or not rounds_left:
                raise
        else:
            return


def _move_processes(source: Path, target: Path) -> None:
    for pid in _read(source / "cgroup.procs").split():
        if pid != "0":  # one of another PID namespace: it has no number here, and 0 would mean us
            with suppress(ProcessLookupError):
                (target / "cgroup.procs").write_text(pid, encoding="ascii")


def _enable_controllers(group: Path) -> None:
    text = " ".join(f"+{name}" for name in _CONTROLLERS)
    (group / "cgroup.subtree_control").write_text(text, encoding="ascii")


def _remove_cgroups(claim: Path) -> None:
    """Remove a claim with the cgroups in it, and kill what is still inside; what will not die is left to the next."""
    with suppress(OSError):  # before Linux 5.14; what is inside dies with its supervisor
        (claim / "cgroup.kill").write_text("1", encoding="ascii")
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while not _is_removed(claim) and time.monotonic() < deadline:
        time.sleep(_REMOVAL_SECONDS / 200)


def _is_removed(claim: Path) -> bool:
    try:
        for group in claim.glob("run-*"):
            with suppress(FileNotFoundError):  # its supervisor was faster
                group.rmdir()
        claim.rmdir()
    except OSError as error:
        return error.errno == errno.ENOENT
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NotDelegatedError(f"{path}: {error.strerror}") from error
