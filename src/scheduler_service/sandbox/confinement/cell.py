"""The confinement of a job's process: the steps between its fork and the user's first instruction, in their order.

The package's docstring says why they come in this order.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from scheduler_service.sandbox.confinement.granted_paths import GrantedPaths
from scheduler_service.sandbox.confinement.limits import limit_resources, limit_user, measure_baseline
from scheduler_service.sandbox.confinement.readable_paths import HOST_FACTS
from scheduler_service.sandbox.confinement.root import DEVICES, HOME, SHARED_MEMORY, TERMINALS, temporary_directories
from scheduler_service.sandbox.contract.access import Access
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.network_policy import policy_of
from scheduler_service.sandbox.contract.protocol import JobMessage, Order, pack_job_message, send
from scheduler_service.sandbox.kernel import landlock, seccomp
from scheduler_service.sandbox.kernel.identity import User, become_user, enter_user_namespace
from scheduler_service.sandbox.kernel.syscalls import (
    CLONE_NEWNET,
    Prctl,
    close_descriptors_but,
    drop_bounding_set,
    drop_capabilities,
    enter_namespace,
    prctl,
)

_OWN_PROCESS = "/proc/self"
_HOST_WIDE_ENTRIES = ("net", "task")  # the sockets of the whole network namespace are below both
_NOT_IN_GRANTED = landlock.MAKE_SOCKET | landlock.MAKE_DEVICE
"""The rights that a run lacks in directories of the operator that it may write.

The broker takes a socket in the run's own directory for the run's. Without the right to make sockets there, the job
cannot move the operator's sockets into it. It could move a directory that holds one, but Landlock denies to move a
directory to a place with more rights (EXDEV), so each of the two places has a right that the other lacks.
"""
_DEVICE_DIRECTORY = "/dev"
_DEVICE_PATHS = tuple(f"{_DEVICE_DIRECTORY}/{name}" for name in DEVICES)


@dataclass(frozen=True, slots=True)
class Confinement:
    """The decisions that need no order: the layers, the job's user, and the paths that orders may open.

    `readable` are the paths below which a job may read everything, if it sees the host's file system. `existing_tasks`
    is the number of tasks that the kernel counts together with the job's, and None if some of them cannot be seen.
    `granted` are the paths of which an order may open some. `broker_failure` says why sockets cannot be brokered on
    this host; "" if they can.
    """

    layers: frozenset[Layer]
    user: User
    empty_network: int | None
    existing_tasks: int | None
    readable: tuple[str, ...] = ()
    granted: GrantedPaths | None = None
    broker_failure: str = ""

    def filter_for(self, *, network: bool) -> bytes:
        """Return the system call filter of a job with or without network."""
        policy = seccomp.Policy(
            families=self._families(network=network),
            sockets=self.sockets,
            namespaced=Layer.PID_NAMESPACE in self.layers,
            shared_ids=self.shares_user,
            own_files=Layer.MOUNT_NAMESPACE in self.layers,
        )
        return seccomp.assemble(policy)

    def _families(self, *, network: bool) -> tuple[int, ...]:
        """Return the families of sockets that a job makes itself, in its own network namespace if it has one."""
        if self.sockets is seccomp.Sockets.PAIRED:
            return ()
        if self._parts_network and self.sockets is seccomp.Sockets.BROKERED:
            return (socket.AF_UNIX,) if network else ()
        return (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6) if network else (socket.AF_UNIX,)

    @property
    def sockets(self) -> seccomp.Sockets:
        """Who decides what the job's sockets may reach."""
        if Layer.SOCKET_BROKER not in self.layers:
            return seccomp.Sockets.FREE
        return seccomp.Sockets.PAIRED if self.broker_failure else seccomp.Sockets.BROKERED

    @property
    def network_refusal(self) -> str | None:
        """Why jobs cannot have network on this host; None if they can."""
        if self.sockets is not seccomp.Sockets.PAIRED:
            return None
        return f"a network is refused to jobs here: {self.broker_failure}; `scheduler doctor` shows the remedy"

    @property
    def asks_supervisor(self) -> bool:
        """Whether the filter asks the supervisor about some calls; see `syscall_broker`."""
        shares_files = Layer.MOUNT_NAMESPACE not in self.layers
        return Layer.SECCOMP in self.layers and (shares_files or self.sockets is seccomp.Sockets.BROKERED)

    @property
    def _parts_network(self) -> bool:
        return Layer.NETWORK_NAMESPACE in self.layers

    @property
    def other_user(self) -> User | None:
        """The job's user; None if that is the service's."""
        return self.user if self.layers & {Layer.OWN_USER, Layer.GRANTED_USER} else None

    @property
    def shares_user(self) -> bool:
        """Whether the job sees files and processes of others with its user id, so that to the kernel it owns them.

        They are the service's, or those of the user of grants.
        """
        return not self.layers & {Layer.OWN_USER, Layer.MOUNT_NAMESPACE}


class Cell:
    """The confinement of one job: prepared before its order, closed when the order is there."""

    def __init__(self, confinement: Confinement) -> None:
        self._given = confinement
        self._layers = confinement.layers
        self._baseline = measure_baseline()
        self._rules = self._write_rules() if Layer.LANDLOCK in self._layers else None

    def close(self, order: Order, directory: str, line: socket.socket) -> None:
        """Confine this process for good. Raise OSError if one layer fails: then nothing may run.

        Only standard input, output and error stay open, and `line`, the socket to the supervisor.

        The order of the steps matters. A step that needs a descriptor or a right comes before it is given up. A change
        of user clears the parent-death signal. The filter comes last, because it denies what the other steps do.
        """
        steps: tuple[tuple[Layer, Callable[[], object]], ...] = (
            (Layer.NETWORK_NAMESPACE, lambda: self._leave_network(order)),
            (Layer.RESOURCE_LIMITS, lambda: limit_resources(order, self._baseline)),
            (Layer.OWN_USER, lambda: become_user(self._given.user)),
            (Layer.GRANTED_USER, lambda: become_user(self._given.user)),
            (Layer.USER_NAMESPACE, enter_user_namespace),
            (Layer.RESOURCE_LIMITS, lambda: limit_user(order.terms, self._given.existing_tasks)),
            (Layer.NO_NEW_PRIVILEGES, lambda: prctl(Prctl.SET_NO_NEW_PRIVS, 1)),
            (Layer.REAPER, lambda: prctl(Prctl.SET_PDEATHSIG, signal.SIGKILL)),
            (Layer.LANDLOCK, lambda: self._enforce_rules(order, directory)),
            (Layer.DESCRIPTORS, lambda: close_descriptors_but(line.fileno())),
            (Layer.CAPABILITIES, self._drop_capabilities),
            (Layer.SECCOMP, lambda: self._enforce_filter(order, line)),
        )
        for layer, step in steps:
            if layer in self._layers:
                step()

    def _drop_capabilities(self) -> None:
        if Layer.USER_NAMESPACE in self._layers:  # which gave a full bounding set; otherwise the zygote's is inherited
            drop_bounding_set()
        drop_capabilities()

    def _leave_network(self, order: Order) -> None:
        leaves = not order.access.destinations or self._given.sockets is seccomp.Sockets.BROKERED
        if leaves and self._given.empty_network is not None:
            enter_namespace(self._given.empty_network, CLONE_NEWNET)

    def _enforce_filter(self, order: Order, line: socket.socket) -> None:
        program = self._given.filter_for(network=bool(order.access.destinations))
        if not self._given.asks_supervisor:
            seccomp.enforce(program)
            return
        listener = seccomp.enforce_with_listener(program)
        if self._given.sockets is seccomp.Sockets.BROKERED:
            # From here on the filter asks the supervisor about sendmsg(2), and so about sending a descriptor. The
            # supervisor cannot answer yet, so it is sent the number, and copies the descriptor with pidfd_getfd(2).
            line.sendall(pack_job_message(JobMessage(listener=listener, access=order.access)))
            line.recv(1)
        else:
            send(line, pack_job_message(JobMessage(access=order.access)), [listener])
        os.close(listener)

    def _write_rules(self) -> landlock.Ruleset:
        rules = landlock.Ruleset()
        if Layer.MOUNT_NAMESPACE in self._layers:
            # In the run's own root, only devices are below /dev. A rule for each would cost each run time.
            rules.allow(["/"], landlock.READ)
            rules.allow([_DEVICE_DIRECTORY], landlock.WRITE_DEVICE)
            rules.allow([TERMINALS], landlock.WRITE_DEVICE | landlock.IOCTL_DEV)
            rules.allow_everything_below(HOME)
            for place in temporary_directories():
                rules.allow_everything_below(place)
            rules.allow_everything_below(SHARED_MEMORY)
        else:
            rules.allow([*self._given.readable, *HOST_FACTS, *_files_of_own_process()], landlock.READ)
            rules.allow([_OWN_PROCESS], landlock.READ_DIR)
            rules.allow(_DEVICE_PATHS, landlock.WRITE_DEVICE)
        return rules

    def _enforce_rules(self, order: Order, directory: str) -> None:
        if self._rules is None:
            return
        if directory != HOME:
            self._rules.allow_everything_below(directory, landlock.MAKE_SOCKET if order.access.write else 0)
        self._allow_granted(self._rules, order.access)
        policy = policy_of(order.access)
        if policy is not None and self._given.sockets is seccomp.Sockets.FREE:
            self._rules.allow_connecting_to(policy.ports)
        self._rules.enforce()

    def _allow_granted(self, rules: landlock.Ruleset, access: Access) -> None:
        if Layer.MOUNT_NAMESPACE in self._layers:
            if access.needs_own_root:
                rules.allow(["/"], landlock.READ)  # it has another root than the one that the rules were written for
            for path in access.write:
                rules.allow_everything_below(path, _NOT_IN_GRANTED)
        elif self._given.granted is not None:
            allow_writing = partial(rules.allow_everything, without=_NOT_IN_GRANTED)
            for paths, allow in ((access.read, rules.allow_reading), (access.write, allow_writing)):
                for path in paths:
                    opened = self._given.granted.open(path)
                    allow(opened)
                    os.close(opened)


def _files_of_own_process() -> list[str]:
    """Return what this process may read of itself in /proc. No links: `root` leads to all files of the host."""
    with os.scandir(_OWN_PROCESS) as entries:
        return [entry.path for entry in entries if not entry.is_symlink() and entry.name not in _HOST_WIDE_ENTRIES]
