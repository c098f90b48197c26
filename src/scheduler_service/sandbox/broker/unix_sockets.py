"""UNIX sockets with a path: a job reaches and makes them only in the directories of its run."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scheduler_service.sandbox.broker.connecting import connect_now
from scheduler_service.sandbox.broker.job_access import CURRENT_DIRECTORY, open_path, status_of
from scheduler_service.sandbox.broker.socket_address import UnixAddress, fail, path_address
from scheduler_service.sandbox.kernel import landlock
from scheduler_service.sandbox.kernel.identity import User, become_user
from scheduler_service.sandbox.kernel.syscalls import CLONE_NEWNS, Prctl, bind_socket, prctl, unmount, unshare


@dataclass(frozen=True, slots=True)
class UnixReach:
    """The socket files that a job may use.

    It makes and reaches those in `places`, and connects to the host's in `granted`. `user` is the job's, if that is not
    ours. If `is_mounted`, each place is a file system of its own, and what is mounted below it at `hidden` is no part
    of it. If `is_restricted`, Landlock confines what binds for the job.
    """

    places: Sequence[str]
    granted: Sequence[str]
    user: User | None
    hidden: Sequence[str] = ()
    is_mounted: bool = False
    is_restricted: bool = True


class UnixSockets:
    """Opens and binds socket files for a job, as `reach` says."""

    def __init__(self, reach: UnixReach) -> None:
        self._reach = reach
        self._places = tuple(os.path.realpath(place) for place in reach.places)
        self._devices = {os.stat(place).st_dev for place in self._places} if reach.is_mounted else None

    @property
    def shown_user(self) -> User | None:
        """The user that the other sides of sockets must be shown instead of ours; None if they see the right one."""
        return self._reach.user if self._reach.granted else None

    def open(self, pid: int, name: bytes) -> int:
        """Open the socket file at the path `name` of a process. Raise OSError if it does not belong to the run.

        An open file stays the same even if its name changes. The error for other files does not tell if they exist.
        """
        try:
            file = open_path(pid, CURRENT_DIRECTORY, name)
        except OSError as error:
            raise error if self._would_be_inside(pid, name) else fail(errno.EACCES) from error
        if self._is_inside(file):
            return file
        os.close(file)
        raise fail(errno.EACCES)

    def open_granted(self, pid: int, name: bytes) -> int | None:
        """Open the socket file at the path `name` of a process; None if it is not granted."""
        if not self._reach.granted:
            return None
        try:
            file = open_path(pid, CURRENT_DIRECTORY, name)
        except OSError:
            return None
        if os.readlink(f"/proc/self/fd/{file}") in self._reach.granted:
            return file
        os.close(file)
        return None

    def connect_granted(self, sock: socket.socket, file: int) -> int:
        """Connect a socket to a granted socket file as the job's user, whom the other side is told of.

        SO_PEERCRED of unix(7) shows the user who called connect(2), so a child does it that has become that user. Raise
        BlockingIOError while the other side has no room.
        """

        def connect() -> None:
            self._become_job_user()
            connect_now(sock, path_address(f"/proc/self/fd/{file}"))

        return _do_in_child(connect)

    def bind(self, pid: int, descriptor: int, address: UnixAddress) -> int:
        """Bind a socket of a process to a path, which makes a socket file there.

        The kernel keeps the path as given, for getsockname(2), so it cannot be replaced by one through a descriptor.
        It may lead elsewhere a moment after a check. So a child binds that may write nowhere else, as the job's user.
        """
        mask = int(status_of(pid)["Umask"], 8)
        directory = os.open(f"/proc/{pid}/cwd", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

        def bind() -> None:
            os.umask(mask)
            os.fchdir(directory)
            self._hide_granted()
            self._restrict()
            bind_socket(descriptor, address.raw)

        try:
            return _do_in_child(bind)
        finally:
            os.close(directory)

    def listen(self, sock: socket.socket, backlog: int) -> int:
        """Listen on a socket as the job's user, whom those that connect are told of; see SO_PEERCRED of unix(7)."""

        def listen() -> None:
            self._become_job_user()
            sock.listen(backlog)

        return _do_in_child(listen)

    def _become_job_user(self) -> None:
        if self._reach.user is not None:
            become_user(self._reach.user)

    def _hide_granted(self) -> None:
        """Unmount the operator's directories below the run's own places, which Landlock cannot leave out."""
        for number, path in enumerate(self._reach.hidden):
            if number == 0:
                unshare(CLONE_NEWNS)
            unmount(path)

    def _restrict(self) -> None:
        rules = landlock.Ruleset()
        for place in self._places:
            rules.allow_everything_below(place)
        self._become_job_user()
        prctl(Prctl.SET_NO_NEW_PRIVS, 1)
        if self._reach.is_restricted:
            rules.enforce()

    def _is_inside(self, file: int) -> bool:
        if self._devices is not None and os.fstat(file).st_dev not in self._devices:
            return False  # it lies in a directory of the operator that is mounted below a place of the run
        return f"{os.readlink(f'/proc/self/fd/{file}')}/".startswith(tuple(f"{place}/" for place in self._places))

    def _would_be_inside(self, pid: int, name: bytes) -> bool:
        """Return whether the nearest existing directory above `name` belongs to the run."""
        for parent in Path(os.fsdecode(name)).parents:
            try:
                file = open_path(pid, CURRENT_DIRECTORY, os.fsencode(parent))
            except OSError:
                continue
            try:
                return self._is_inside(file)
            finally:
                os.close(file)
        return False


def _do_in_child(action: Callable[[], object]) -> int:
    """Return 0 once a child has done something. Raise the OSError that it met."""
    child = os.fork()
    if child == 0:
        code = errno.EACCES
        try:
            action()
            code = 0
        except OSError as error:
            code = error.errno or code
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise fail(code if code > 0 else errno.EACCES)
    return 0
