"""The namespaces that each run of a supervisor has for itself: of mounts, and of System V objects and message queues.

A supervisor makes new ones for each run, from a base that no run has touched: the root of the zygote with a /proc of
the supervisor's PID namespace. The kernel frees what a run has left in its own when the next ones are made.
"""

from __future__ import annotations

import os

from scheduler_service.sandbox.confinement.root import mount_private, mount_proc
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.kernel.identity import User
from scheduler_service.sandbox.kernel.syscalls import CLONE_NEWIPC, CLONE_NEWNS, enter_namespace, unshare

_OWN_MOUNTS = "/proc/self/ns/mnt"


class RunNamespaces:
    """Makes the namespaces of one run after the other, as far as `layers` has them. `user` is that of the jobs."""

    def __init__(self, layers: frozenset[Layer], user: User) -> None:
        self._has_mounts = Layer.MOUNT_NAMESPACE in layers
        self._has_ipc = Layer.IPC_NAMESPACE in layers
        self._user = user
        self._base = -1
        if self._has_mounts:
            unshare(CLONE_NEWNS)
            if Layer.PID_NAMESPACE in layers:
                mount_proc()  # after the fork: a new proc shows the PID namespace of the process that mounts it
            self._base = os.open(_OWN_MOUNTS, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def kinds(self) -> int:
        """The kinds of namespaces, as setns(2) takes them; 0 if there are none."""
        return (CLONE_NEWNS if self._has_mounts else 0) | (CLONE_NEWIPC if self._has_ipc else 0)

    def enter_new(self) -> None:
        """Make the namespaces of the next run, and move into them, from the base."""
        if self._has_mounts:
            unshare(CLONE_NEWNS)
            mount_private(self._user)
        if self._has_ipc:
            unshare(CLONE_NEWIPC)

    def leave(self) -> None:
        """Return to the base, where nothing of a run is. With its last process, the kernel frees a run's mounts."""
        if self._has_mounts:
            enter_namespace(self._base, CLONE_NEWNS)
