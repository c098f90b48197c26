"""The paths of the host that grants open: found once, when a zygote starts, and opened for one run at a time.

Links count only when the zygote starts. From then on a granted directory is the one that was found, whatever gets its
name. A granted file is looked up in its directory at each run, because programs replace files by renaming; a link in
its place is refused.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from scheduler_service.sandbox.contract.spec import OPEN_FILES
from scheduler_service.sandbox.kernel.open_beneath import open_beneath
from scheduler_service.sandbox.kernel.syscalls import Mount, MountAttribute, mount, set_mount_attributes

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_ANYTHING = os.O_PATH | os.O_CLOEXEC


class GrantedPathError(Exception):
    """A granted path cannot be opened on this host; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A `directory` that stays open, and the `name` of the file in it that is granted; without one, the directory."""

    directory: int
    name: str


class GrantedPaths:
    """The granted paths that exist on this host. Those that do not are left out, and refused when a run wants them.

    Where runs see the file system of the host, each anchor's directory stays open. Where they have their own, `show`
    mounts it in the root that all runs share, for `granted_root` to mount it from there where a run expects it.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._anchors: dict[str, Anchor] = {}
        self._shown: dict[str, str] = {}
        root = os.open("/", _DIRECTORY)
        for path in paths:
            with suppress(OSError):
                self._anchors[path] = _keep(_find_anchor(root, path))
        os.close(root)

    def __bool__(self) -> bool:
        return bool(self._anchors)

    def show(self, place: str, name: str) -> None:
        """Mount all at `place`, which will be called `name`, without devices and set-user-id programs."""
        mount("none", place, "tmpfs", Mount.NOSUID | Mount.NODEV, "size=1m,mode=0700")
        for number, (path, anchor) in enumerate(self._anchors.items()):
            target = f"{place}/{number}"
            os.mkdir(target)
            mount(f"/proc/self/fd/{anchor.directory}", target, None, Mount.BIND | Mount.REC)
            set_mount_attributes(target, MountAttribute.NOSUID | MountAttribute.NODEV)
            os.close(anchor.directory)
            self._shown[path] = f"{name}/{number}"

    def open(self, path: str) -> int:
        """Open a granted path, for the caller to close. Raise GrantedPathError if it is not there."""
        anchor = self._anchors.get(path)
        if anchor is None:
            raise GrantedPathError(f"{path!r} was not there when the worker started; create it and restart the worker")
        try:
            return self._open(path, anchor)
        except OSError as error:
            raise GrantedPathError(f"{path!r} cannot be opened: {os.strerror(error.errno or errno.EIO)}") from error

    def _open(self, path: str, anchor: Anchor) -> int:
        shown = self._shown.get(path)
        directory = os.dup(anchor.directory) if shown is None else os.open(shown, _DIRECTORY)
        if not anchor.name:
            return directory
        try:
            return open_beneath(directory, anchor.name, _ANYTHING)
        finally:
            os.close(directory)


def _keep(anchor: Anchor) -> Anchor:
    """Move the descriptor beyond those that a job may have, who would have none left if there are many anchors."""
    try:
        high = fcntl.fcntl(anchor.directory, fcntl.F_DUPFD_CLOEXEC, OPEN_FILES)
    except OSError:  # the hard limit is not higher: it stays where it is
        return anchor
    os.close(anchor.directory)
    return Anchor(high, anchor.name)


def _find_anchor(root: int, path: str) -> Anchor:
    relative = path.lstrip("/")
    os.close(open_beneath(root, relative, _ANYTHING))
    try:
        return Anchor(open_beneath(root, relative, _DIRECTORY), "")
    except NotADirectoryError:
        directory, _, name = relative.rpartition("/")
        return Anchor(open_beneath(root, directory or ".", _DIRECTORY), name)
