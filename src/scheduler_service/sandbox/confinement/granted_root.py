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

from scheduler_service.sandbox.confinement.granted_paths import GrantedPathError, GrantedPaths
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
from scheduler_service.sandbox.kernel.identity import User
from scheduler_service.sandbox.kernel.open_beneath import open_beneath
from scheduler_service.sandbox.kernel.syscalls import (
    Mount,
    MountAttribute,
    mount,
    mount_descriptor,
    set_mount_attributes,
    unmount,
)

_PLACE = "/run"
_HOSTS, _OWN_HOSTS = "/etc/hosts", "/.hosts"
_WRITABLE = MountAttribute.NOSUID | MountAttribute.NODEV
_HANDLE = os.O_PATH | os.O_CLOEXEC


def leave_granted() -> None:
    """Take everything granted out of the root of a run that has no grants."""
    unmount(GRANTED)


def enter_granted_root(granted: GrantedPaths, access: Access, user: User) -> None:
    """Move the run into a root with all that `access` names; only that may be written which it says.

    `user` is the job's. Raise GrantedPathError if a path is not there, and OSError if the root cannot be made.
    """
    targets = {path: os.path.realpath(path) for path in access.shown}
    for path, target in targets.items():
        if target.startswith(private_places()):  # such as one below /tmp: the run's own file system has room for it
            os.close(_open_mountpoint(granted, path, "/", target, user))
    mount("none", _PLACE, "tmpfs", Mount.NOSUID | Mount.NODEV, "size=1m,mode=0755")
    new = Path(_PLACE)
    _mirror("/", new, list(targets.values()))
    for path, target in targets.items():
        _mount_granted(granted, path, target, _WRITABLE if path in access.write else _WRITABLE | MountAttribute.RDONLY)
    inside(new, _PLACE).mkdir(exist_ok=True)
    if access.hosts:
        _name_hosts(new, access.hosts)
    set_mount_attributes(_PLACE, MountAttribute.RDONLY, recursive=False)
    change_root(_PLACE)


def private_places() -> tuple[str, ...]:
    """Return how the paths in the run's own file system begin."""
    return tuple(f"{place}/" for place in (HOME, *temporary_directories()))


def _open_mountpoint(granted: GrantedPaths, path: str, root: str, target: str, user: User | None = None) -> int:
    """Open the place at `target` below `root` for what is granted at `path`. Make what is missing on the way.

    The way may lead through another granted directory, where other runs write: no link is followed there. Such a
    directory is shown read-only, so nothing is made in it.
    """
    handle = os.open(root, _HANDLE)
    parts = target.strip("/").split("/")
    for number, name in enumerate(parts):
        above = handle
        try:
            handle = _open_step(above, name, is_file=number == len(parts) - 1 and _is_file(granted, path), user=user)
        except OSError as error:
            raise GrantedPathError(f"{path!r} has no place in the run: {error.strerror}") from error
        finally:
            os.close(above)
    return handle


def _open_step(directory: int, name: str, *, is_file: bool, user: User | None) -> int:
    try:
        return open_beneath(directory, name, _HANDLE)
    except FileNotFoundError:
        if is_file:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=directory))
        else:
            os.mkdir(name, 0o755, dir_fd=directory)
    if user is not None:
        os.chown(name, user.uid, user.gid, dir_fd=directory, follow_symlinks=False)
    return open_beneath(directory, name, _HANDLE)


def _is_file(granted: GrantedPaths, path: str) -> bool:
    source = granted.open(path)
    try:
        return not stat.S_ISDIR(os.fstat(source).st_mode)
    finally:
        os.close(source)


def _mirror(directory: str, new: Path, targets: Sequence[str]) -> None:
    """Show each entry of `directory` in the root that is made at `new`."""
    with os.scandir(directory) as entries:
        for entry in entries:
            target = inside(new, entry.path)
            if entry.is_symlink():
                target.symlink_to(os.readlink(entry.path))
            elif entry.path in {GRANTED, _PLACE}:
                continue
            elif any(path.startswith(f"{entry.path}/") and not os.path.lexists(path) for path in targets):
                target.mkdir()
                _mirror(entry.path, new, targets)
            else:
                bind(entry.path, target)


def _mount_granted(granted: GrantedPaths, path: str, target: str, attributes: MountAttribute) -> None:
    place = _open_mountpoint(granted, path, _PLACE, target)
    source = granted.open(path)
    try:
        mount_descriptor(source, place, attributes)
    finally:
        os.close(source)
        os.close(place)


def _name_hosts(new: Path, hosts: Sequence[tuple[str, str]]) -> None:
    """Show the run a file of host names with these, each with its address; see hosts(5)."""
    own = inside(new, _OWN_HOSTS)
    lines = "".join(f"{address} {name}\n" for name, address in hosts)
    own.write_text(f"127.0.0.1 localhost {HOSTNAME}\n::1 localhost\n{lines}", encoding="utf-8")
    mount(str(own), str(inside(new, _HOSTS)), None, Mount.BIND)
