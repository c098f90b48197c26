"""The user of a job: one of its own if the service is root, otherwise the service's user without any rights."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from scheduler_service.sandbox.kernel.call_program import CallProgram
from scheduler_service.sandbox.kernel.syscalls import CLONE_NEWUSER, Prctl, invoke, prctl, unshare

FIRST_UID, LAST_UID = 60578, 61183
"""The range that neither Debian's policy nor systemd's (UIDS-GIDS.md) gives to anybody."""

_INITIAL_USER_NAMESPACE, _INITIAL_PID_NAMESPACE = "user:[4026531837]", "pid:[4026531836]"
"""The kernel's fixed numbers of the namespaces that a host starts with; see PROC_USER_INIT_INO."""


class User(NamedTuple):
    """A user and its group, as the kernel knows them."""

    uid: int
    gid: int


def is_user_of_single_runs(uid: int) -> bool:
    """Return whether the user id is one that `UidPool` claims for single runs."""
    return FIRST_UID <= uid <= LAST_UID


class UidPool:
    """Claims user ids so that no two runs on this host have the same at once, whichever service process they belong to.

    A claim is an abstract socket. The kernel keeps its name unique, and frees it when the process ends (unix(7)).
    """

    def __init__(self) -> None:
        self._claims: dict[int, socket.socket] = {}

    def take(self) -> User:
        """Claim a free user id. Raise OSError if there is none."""
        for uid in range(FIRST_UID, LAST_UID + 1):
            if uid not in self._claims and (claim := _claim(uid)) is not None:
                self._claims[uid] = claim
                return User(uid, uid)
        raise OSError(f"all user ids from {FIRST_UID} to {LAST_UID} are taken by running jobs")

    def give_back(self, uid: int) -> None:
        """Free a user id, which must have no process left."""
        self._claims.pop(uid).close()

    def close(self) -> None:
        """Free all."""
        for uid in list(self._claims):
            self.give_back(uid)


def become_user(user: User) -> None:
    """Change this process from root to a user and its group, for good."""
    os.setgroups([])
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    prctl(Prctl.SET_DUMPABLE, 1)  # the change of user gave /proc/self to root; see PR_SET_DUMPABLE in prctl(2)


def add_change_of_user(program: CallProgram, user: User) -> None:
    """Add the calls of `become_user` to a program, for a process with one thread."""
    program.add("setgroups", 0)
    program.add("setresgid", *[user.gid] * 3)
    program.add("setresuid", *[user.uid] * 3)
    program.add("prctl", Prctl.SET_DUMPABLE, 1)


@contextmanager
def acting_as(user: User | None) -> Iterator[None]:
    """Reach files and processes with the rights of a user alone, as root; None changes nothing.

    Root in a container may lack the rights over files and processes of others. setfsuid(2) changes only the user of
    file accesses, so the job cannot signal this process meanwhile. The kernel clears the parent-death signal.
    """
    if user is None:
        yield
        return
    invoke("setfsgid", user.gid)
    invoke("setfsuid", user.uid)
    try:
        yield
    finally:
        invoke("setfsuid", os.geteuid())
        invoke("setfsgid", os.getegid())


def enter_user_namespace() -> None:
    """Enter a new user namespace as the same user, without rights over anything outside it; see user_namespaces(7)."""
    uid, gid = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    for file, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{file}", "w", encoding="utf-8") as handle:
            handle.write(text)


def sees_all_tasks() -> bool:
    """Return whether this process sees every process with its user ids: no other container shares its namespace."""
    user, pids = os.readlink("/proc/self/ns/user"), os.readlink("/proc/self/ns/pid")
    return user != _INITIAL_USER_NAMESPACE or pids == _INITIAL_PID_NAMESPACE


def counts_tasks_by_namespace() -> bool:
    """Return whether the kernel counts the tasks of a user for each user namespace, as Linux does since 5.14.

    A child with a limit of two tasks forks in a new namespace. It fails if our tasks are counted there too.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            enter_user_namespace()
            resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))
            code = os.waitstatus_to_exitcode(os.waitpid(_fork_nothing(), 0)[1])
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _fork_nothing() -> int:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return child


def _claim(uid: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0scheduler-service-job-{uid}")
    except OSError:
        claim.close()
        return None
    return claim
