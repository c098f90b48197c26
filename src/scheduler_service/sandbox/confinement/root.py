"""The file system of a job at level `strict`: a read-only root that shows only what programs need to run.

The zygote mounts the root once, for all its runs. Each supervisor mounts on top what is the run's own: its home, its
shared memory, its terminals and its /proc.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from scheduler_service.sandbox.confinement.granted_paths import GrantedPaths
from scheduler_service.sandbox.confinement.readable_paths import PROGRAMS, SETTINGS, python_paths, readable
from scheduler_service.sandbox.contract.command import DEFAULT_INTERPRETER
from scheduler_service.sandbox.kernel.identity import User
from scheduler_service.sandbox.kernel.syscalls import (
    Mount,
    MountAttribute,
    invoke,
    mount,
    set_mount_attributes,
    unmount,
)

HOME = "/job"
SHARED_MEMORY = "/dev/shm"  # noqa: S108 (where shm_open(3) looks)
HOSTNAME = "job"
USUAL_DISK_MB = 256
DEVICES = ("null", "zero", "full", "random", "urandom")
_INODE_BYTES = 1024
"""What an empty file costs the kernel in memory, about; the `size` of a file system does not count it."""
_READ_ONLY = MountAttribute.RDONLY | MountAttribute.NOSUID
_PRIVATE = Mount.NOSUID | Mount.NODEV
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 (programs that ignore TMPDIR get the same private place)
_ROOM, _PYTHONS = "/run", "/.python"
GRANTED = "/.granted"
_PYTHON_NAMES = f"{_PYTHONS}/names"
TERMINALS = "/dev/pts"
_MAX_TERMINALS = 16
"""A terminal keeps up to 150 kB that no other limit counts."""
_LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}


def user_name(uid: int) -> str:
    """Return the name of a job's user."""
    return f"job{uid}"


def enter_new_root(
    mountpoint: str, users: Sequence[User], private: Sequence[str] = (), granted: GrantedPaths | None = None
) -> None:
    """Mount the job's root on `mountpoint` and move into it. The mount namespace must be our own already.

    Paths in `private` are not shown; see `readable_paths`. Paths that are `granted` to some runs are below `GRANTED`,
    from where `granted_root` takes them. Every run must leave that directory before its code begins.

    Runs add their mounts (see `mount_private`) to copies of this namespace.
    """
    mount("none", "/", None, Mount.REC | Mount.PRIVATE)  # or our mounts would appear on the host (mount_namespaces(7))
    mount("tmpfs", mountpoint, "tmpfs", _PRIVATE, "size=1m,mode=0755")
    new = Path(mountpoint)
    for path in _outermost(readable(PROGRAMS, python_paths(), private), ()):
        _show(path, inside(new, path))
    settings = readable([f"/etc/{name}" for name in SETTINGS], (), private)
    for path in (*settings, *(f"/dev/{name}" for name in DEVICES)):
        bind(path, inside(new, path))  # links resolved: where they lead may not be shown
    for directory in (HOME, SHARED_MEMORY, TERMINALS, "/proc", _ROOM, "/var"):
        inside(new, directory).mkdir(parents=True, exist_ok=True)
    for link in _TEMPORARY:
        if not inside(new, link).exists():
            inside(new, link).symlink_to(HOME)
    _show_again(new, private)
    for name, target in _LINKS.items():
        inside(new, f"/dev/{name}").symlink_to(target)
    _name_users(new, users)
    mount("proc", str(inside(new, "/proc")), "proc", _PRIVATE)
    if granted:
        inside(new, GRANTED).mkdir()
    set_mount_attributes(mountpoint, _READ_ONLY)
    if granted:
        granted.show(str(inside(new, GRANTED)), GRANTED)
    change_root(mountpoint)


def change_root(mountpoint: str) -> None:
    """Make the mount at `mountpoint` the root of all processes of this mount namespace, and unmount the old one."""
    os.chdir(mountpoint)
    # pivot_root(".", ".") stacks the old root on the new one, from where it is unmounted; see pivot_root(2).
    invoke("pivot_root", b".", b".")
    unmount(".")
    os.chdir("/")


def mount_private(user: User) -> None:
    """Mount the directories that a run may write. The kernel frees them with the last process of the run."""
    options, temporary = f"{_room(USUAL_DISK_MB)},mode=0700,uid={user.uid},gid={user.gid}", temporary_directories()
    for place in (_ROOM if temporary else HOME, SHARED_MEMORY):
        mount("tmpfs", place, "tmpfs", _PRIVATE, options)
    if temporary:
        _share_room(user, temporary)
    with suppress(OSError):  # a kernel without devpts: then a run has no terminals
        mount("devpts", TERMINALS, "devpts", Mount.NOSUID, f"newinstance,mode=0600,ptmxmode=0666,max={_MAX_TERMINALS}")


def temporary_directories() -> list[str]:
    """Return the temporary directories of the job's root that are no links to its home, because a Python is below."""
    return [place for place in _TEMPORARY if not os.path.islink(place)]


def resize_private(disk_mb: int) -> None:
    """Resize the run's file systems for files and for shared memory to `disk_mb` each."""
    for place in (HOME, SHARED_MEMORY):
        mount("tmpfs", place, None, Mount.REMOUNT | _PRIVATE, _room(disk_mb))


def max_private_bytes(disk_mb: int) -> int:
    """Return the memory that a run's file systems take when they are full."""
    return 2 * ((disk_mb << 20) + _inodes(disk_mb) * _INODE_BYTES)


def mount_proc() -> None:
    """Mount a /proc that shows only the processes of our PID namespace."""
    mount("proc", "/proc", "proc", _PRIVATE)


def _show_again(new: Path, private: Sequence[str]) -> None:
    """Mount a Python that lies below /tmp a second time, from where it is taken when a run gets its own /tmp."""
    programs = [os.path.realpath(path) for path in PROGRAMS]
    pythons = _outermost(readable((), python_paths(), private), programs)
    again = [path for path in pythons if any(Path(path).is_relative_to(place) for place in _TEMPORARY)]
    for number, path in enumerate(again):
        _show(path, inside(new, f"{_PYTHONS}/{number}"))
    if again:
        inside(new, _PYTHON_NAMES).write_text("\0".join(again), encoding="utf-8", errors="surrogateescape")


def _share_room(user: User, temporary: Sequence[str]) -> None:
    """Put the home and the `temporary` directories on one file system, with one size, and show this Python in them."""
    for place, mode in ((HOME, 0o700), *((place, 0o1777) for place in temporary)):
        part = f"{_ROOM}/{place.replace('/', '-')}"
        os.mkdir(part)
        os.chmod(part, mode)
        os.chown(part, *user)
        mount(part, place, None, Mount.BIND)
    pythons = Path(_PYTHON_NAMES).read_text(encoding="utf-8", errors="surrogateescape").split("\0")
    for number, path in enumerate(pythons):
        _show(f"{_PYTHONS}/{number}", Path(path))
    unmount(_ROOM)


def _room(disk_mb: int) -> str:
    return f"size={disk_mb}m,nr_inodes={_inodes(disk_mb)}"


def _inodes(disk_mb: int) -> int:
    return 1024 + 256 * disk_mb


def _show(path: str, target: Path) -> None:
    """Mount `path` in the new root. A link stays a link, because its target may be private."""
    if not os.path.islink(path):
        bind(path, target)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(os.readlink(path))


def bind(source: str, target: Path) -> None:
    """Show a file or directory, with all mounts below it, at `target`, which is made. What does not exist is not."""
    if os.path.isdir(source):
        target.mkdir(parents=True, exist_ok=True)
    elif os.path.exists(source):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    else:
        return
    mount(source, str(target), None, Mount.BIND | Mount.REC)


def _outermost(paths: Iterable[str], shown: Sequence[str]) -> list[str]:
    """Return `paths` without those below a directory that is shown anyway: a mount there would hide parts of it."""
    kept: list[str] = []
    for path in paths:
        if not any(Path(path).is_relative_to(other) for other in (*shown, *kept)):
            kept.append(path)
    return kept


def inside(new: Path, path: str) -> Path:
    """Return where a path of the new root lies before that is the root."""
    return new / path.lstrip("/")


def _name_users(new: Path, users: Iterable[User]) -> None:
    """Write the files in which programs find the job's users, and none of the host's."""
    lines = "".join(f"{user_name(uid)}:x:{uid}:{gid}::{HOME}:{DEFAULT_INTERPRETER}\n" for uid, gid in users)
    groups = "".join(f"{user_name(uid)}:x:{gid}:\n" for uid, gid in users)
    (new / "etc/passwd").write_text(f"root:x:0:0::/:/usr/sbin/nologin\n{lines}")
    (new / "etc/group").write_text(f"root:x:0:\n{groups}")
    (new / "etc/hosts").write_text(f"127.0.0.1 localhost {HOSTNAME}\n::1 localhost\n")
