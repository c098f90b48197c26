"""The cgroup v2 that the host delegates to the service, and how the service divides it.

A cgroup with controllers for its children may have no processes itself (cgroups(7), "no internal processes"). So the
service's processes move into `scheduler-service`. Beside it, in `scheduler-runs`, each process of the service that runs
jobs has a claim, and in that a cgroup for each run.
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
    """The service may not divide any cgroup. The message says why, for the operator."""


def find_delegated(proc: Path = Path("/proc/self"), systemd: Path = _SYSTEMD) -> Path:
    """Return the cgroup that the service may divide. Raise `NotDelegatedError` if there is none. Changes nothing.

    If systemd manages cgroups, the right to write is not enough: systemd may undo changes to a unit that it has not
    marked as delegated (systemd.resource-control(5), Delegate=). In a container, the right is the delegation.
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
    """Divide the cgroup, unless another process of the service has, and claim a directory for the cgroups of runs.

    Removes what killed processes have left. Raises OSError if the kernel refuses.
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
    """Move all processes of the cgroup into a child, and enable the controllers for its children.

    A process that is forked or enters between the two makes the second fail with EBUSY, so both are repeated.
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
    """Remove a claim with its cgroups, and kill the processes inside. What will not die is left to the next claim."""
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
