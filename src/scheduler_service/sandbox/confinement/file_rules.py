"""The files that a job may reach, as rules of Landlock: what is the same for all orders, and what an order adds.

A supervisor writes the rules of each run before its order comes, and the job's process enforces them. A rule holds for
what is at its path when the rule is written, so a supervisor that stays for many runs opens the paths again for each.
"""

from __future__ import annotations

import os
from functools import partial

from scheduler_service.sandbox.confinement.granted_paths import GrantedPaths
from scheduler_service.sandbox.confinement.readable_paths import HOST_FACTS
from scheduler_service.sandbox.confinement.root import DEVICES, HOME, SHARED_MEMORY, TERMINALS, temporary_directories
from scheduler_service.sandbox.contract.access import Access
from scheduler_service.sandbox.kernel import landlock

_HOST_WIDE_ENTRIES = ("net", "task")  # the sockets of the whole network namespace are below both
_NOT_IN_GRANTED = landlock.MAKE_SOCKET | landlock.MAKE_DEVICE
"""The rights that a run lacks in directories of the operator that it may write.

The broker takes a socket in the run's own directory for the run's. Without the right to make sockets there, the job
cannot move the operator's sockets into it. It could move a directory that holds one, but Landlock denies to move a
directory to a place with more rights (EXDEV), so each of the two places has a right that the other lacks.
"""
_DEVICE_DIRECTORY = "/dev"
_DEVICE_PATHS = tuple(f"{_DEVICE_DIRECTORY}/{name}" for name in DEVICES)


def write_rules_of_root() -> landlock.Ruleset:
    """Write the rules of a run in a root of its own."""
    rules = landlock.Ruleset()
    # In the run's own root, only devices are below /dev. A rule for each would cost each run time.
    rules.allow(["/"], landlock.READ)
    rules.allow([_DEVICE_DIRECTORY], landlock.WRITE_DEVICE)
    rules.allow([TERMINALS], landlock.WRITE_DEVICE | landlock.IOCTL_DEV)
    for place in (HOME, *temporary_directories(), SHARED_MEMORY):
        rules.allow_everything_below(place)
    return rules


def write_rules_on_host(readable: tuple[str, ...]) -> landlock.Ruleset:
    """Write the rules of a run that sees the file system of the host, of which everything in `readable` may be read."""
    rules = landlock.Ruleset()
    rules.allow([*readable, *HOST_FACTS], landlock.READ)
    rules.allow(_DEVICE_PATHS, landlock.WRITE_DEVICE)
    return rules


def allow_own_process(rules: landlock.Ruleset, pid: int) -> None:
    """Allow the process `pid` to read what /proc shows of it. No links: `root` leads to all files of the host."""
    own = f"/proc/{pid}"
    with os.scandir(own) as entries:
        paths = [entry.path for entry in entries if entry.name not in _HOST_WIDE_ENTRIES and not entry.is_symlink()]
    rules.allow(paths, landlock.READ)
    rules.allow([own], landlock.READ_DIR)


def allow_run_directory(rules: landlock.Ruleset, directory: str, access: Access) -> None:
    """Allow a run its directory on the host."""
    rules.allow_everything_below(directory, landlock.MAKE_SOCKET if access.write else 0)


def allow_granted_in_root(rules: landlock.Ruleset, access: Access) -> None:
    """Allow what is granted to a run in a root of its own, where it is mounted already."""
    if access.needs_own_root:
        rules.allow(["/"], landlock.READ)  # it has another root than the one that the rules were written for
    for path in access.write:
        rules.allow_everything_below(path, _NOT_IN_GRANTED)


def allow_granted_on_host(rules: landlock.Ruleset, access: Access, granted: GrantedPaths) -> None:
    """Allow what is granted to a run that sees the file system of the host."""
    allow_writing = partial(rules.allow_everything, without=_NOT_IN_GRANTED)
    for paths, allow in ((access.read, rules.allow_reading), (access.write, allow_writing)):
        for path in paths:
            opened = granted.open(path)
            allow(opened)
            os.close(opened)
