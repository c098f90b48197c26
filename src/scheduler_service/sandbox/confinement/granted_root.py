"""The root of a run with grants: the root that all runs share, and what is granted at the paths of the host.

The shared root is read-only and has no place for a granted path, since a run without the grant must find nothing
there. So a run with grants gets a root of its own. It shows each entry of the shared one, and a directory that lacks a
mount point for a granted path is created again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from scheduler_service.sandbox.confinement.granted_paths import GrantedPaths
from scheduler_service.sandbox.confinement.root import (
    GRANTED,
    HOME,
    HOSTNAME,
    bind,
    change_root,
    inside,
    temporary_directories,
)
from scheduler_service.sandbox.contract.access import Access
from scheduler_service.sandbox.kernel.syscalls import Mount, MountAttribute, mount, set_mount_attributes, unmount

_PLACE = "/run"
_HOSTS, _OWN_HOSTS = "/etc/hosts", "/.hosts"


def leave_granted() -> None:
    """Take everything granted out of the root of a run that has no grants."""
    unmount(GRANTED)


def enter_granted_root(granted: GrantedPaths, access: Access, uid: int) -> None:
    """Move the run into a root with all that `access` names; only that may be written which it says.

    `uid` is the job's user. Raise GrantedPathError if a path is not there, and OSError if the root cannot be made.
    """
    targets = {path: os.path.realpath(path) for path in sorted(access.paths)}
    for path, target in targets.items():
        if target.startswith(_private_places()):  # such as one below /tmp: the run's own file system has room for it
            _make_mountpoint(granted, path, Path(target), uid)
    mount("none", _PLACE, "tmpfs", Mount.NOSUID | Mount.NODEV, "size=1m,mode=0755")
    new = Path(_PLACE)
    _mirror("/", new, list(targets.values()))
    for path, target in targets.items():
        _mount_granted(granted, path, inside(new, target), is_read_only=path in access.read)
    inside(new, _PLACE).mkdir(exist_ok=True)
    if access.hosts:
        _name_hosts(new, access.hosts)
    set_mount_attributes(_PLACE, MountAttribute.RDONLY, recursive=False)
    change_root(_PLACE)


def _private_places() -> tuple[str, ...]:
    return tuple(f"{place}/" for place in (HOME, *temporary_directories()))


def _make_mountpoint(granted: GrantedPaths, path: str, target: Path, uid: int = 0) -> None:
    """Create a directory or an empty file for what is granted at `path`, with the directories above, for a user."""
    missing = [each for each in reversed((target, *target.parents)) if not each.exists()]
    source = granted.open(path)
    is_directory = stat.S_ISDIR(os.fstat(source).st_mode)
    os.close(source)
    for each in missing:
        if each == target and not is_directory:
            each.touch()
        else:
            each.mkdir()
        if uid:
            os.chown(each, uid, uid)


def _mirror(directory: str, new: Path, targets: Sequence[str]) -> None:
    """Show each entry of `directory` in the root that is made at `new`."""
    with os.scandir(directory) as entries:
        for entry in entries:
            target = inside(new, entry.path)
            if entry.is_symlink():
                target.symlink_to(os.readlink(entry.path))
            elif any(path.startswith(f"{entry.path}/") and not os.path.lexists(path) for path in targets):
                target.mkdir()
                _mirror(entry.path, new, targets)
            elif entry.path not in {GRANTED, _PLACE}:
                bind(entry.path, target)


def _mount_granted(granted: GrantedPaths, path: str, target: Path, *, is_read_only: bool) -> None:
    _make_mountpoint(granted, path, target)
    source = granted.open(path)
    try:
        mount(f"/proc/self/fd/{source}", str(target), None, Mount.BIND | Mount.REC)
    finally:
        os.close(source)
    if is_read_only:
        set_mount_attributes(str(target), MountAttribute.RDONLY)


def _name_hosts(new: Path, hosts: Sequence[tuple[str, str]]) -> None:
    """Show the run a file of host names with these, each with its address; see hosts(5)."""
    own = inside(new, _OWN_HOSTS)
    lines = "".join(f"{address} {name}\n" for name, address in hosts)
    own.write_text(f"127.0.0.1 localhost {HOSTNAME}\n::1 localhost\n{lines}", encoding="utf-8")
    mount(str(own), str(inside(new, _HOSTS)), None, Mount.BIND)
