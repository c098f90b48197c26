"""The confinement of a job's process: the steps between its fork and the user's first instruction, in their order.

The package's docstring says why they come in this order.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from scheduler_service.sandbox.confinement.file_rules import (
    allow_granted_in_root,
    allow_granted_on_host,
    allow_own_process,
    allow_run_directory,
    write_rules_of_root,
    write_rules_on_host,
)
from scheduler_service.sandbox.confinement.granted_paths import GrantedPaths
from scheduler_service.sandbox.confinement.limits import limit_alike, limit_resources, limit_user, measure_baseline
from scheduler_service.sandbox.contract.access import NOTHING, Access
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.network_policy import policy_of
from scheduler_service.sandbox.contract.protocol import JobMessage, Order, pack_job_message, send
from scheduler_service.sandbox.kernel import landlock, seccomp
from scheduler_service.sandbox.kernel.cgroup import Membership
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
            seen=self._seen_processes,
        )
        return seccomp.assemble(policy)

    def write_rules(self) -> landlock.Ruleset | None:
        """Write what Landlock allows whatever the order is; None if Landlock is left out.

        A job that sees the host's file system lacks its own entries in /proc, which exist only when it does.
        """
        if Layer.LANDLOCK not in self.layers:
            return None
        return write_rules_of_root() if Layer.MOUNT_NAMESPACE in self.layers else write_rules_on_host(self.readable)

    def allow_own_process(self, rules: landlock.Ruleset, pid: int) -> None:
        """Add what the job's process `pid` lacks in the rules."""
        if Layer.MOUNT_NAMESPACE not in self.layers:
            allow_own_process(rules, pid)

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
    def has_spawner(self) -> bool:
        """Whether the supervisor can take several runs, so that a spawner forks the processes of their jobs.

        It can if no job can signal its spawner, and if it sees the tasks that the kernel counts with a job's.
        """
        scoped = Layer.LANDLOCK in self.layers and landlock.abi() >= landlock.SCOPE_ABI
        is_counted = not self.existing_tasks or Layer.PID_NAMESPACE not in self.layers
        return (Layer.OWN_USER in self.layers or scoped) and is_counted

    @property
    def _seen_processes(self) -> tuple[int, ...]:
        """Return the first ids of a PID namespace, those of supervisor and spawner, if they have the job's user id."""
        if Layer.PID_NAMESPACE not in self.layers or self.other_user:
            return ()
        return (1, 2) if self.has_spawner else (1,)

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


class JobInputs(NamedTuple):
    """What the process of one job gets with its fork.

    `orders` leads to the service and `channel` to the supervisor. `tasks` is how many tasks the kernel counts together
    with the job's; None if unknown. `rules` are those of Landlock; None if it is left out.
    """

    orders: socket.socket
    channel: socket.socket
    tasks: int | None
    rules: int | None
    cgroup: Membership | None


Step = Callable[[Order, JobInputs], object]


class Cell:
    """The confinement of jobs: prepared in the process that forks them, closed in each when its order is there."""

    def __init__(self, confinement: Confinement) -> None:
        self._given = confinement
        self._layers = confinement.layers
        self._baseline = measure_baseline()
        # What is taken from a table below does not have to be made in each job's process: see `job`.
        self._programs = {network: confinement.filter_for(network=network) for network in (False, True)}
        steps: tuple[tuple[Layer, Step], ...] = (
            (Layer.NETWORK_NAMESPACE, self._leave_network),
            (Layer.RESOURCE_LIMITS, lambda order, _: limit_resources(order, self._baseline)),
            (Layer.OWN_USER, lambda *_: become_user(confinement.user)),
            (Layer.GRANTED_USER, lambda *_: become_user(confinement.user)),
            (Layer.USER_NAMESPACE, lambda *_: enter_user_namespace()),
            (Layer.RESOURCE_LIMITS, lambda order, given: limit_user(order.terms, given.tasks)),
            (Layer.NO_NEW_PRIVILEGES, lambda *_: prctl(Prctl.SET_NO_NEW_PRIVS, 1)),
            (Layer.REAPER, lambda *_: prctl(Prctl.SET_PDEATHSIG, signal.SIGKILL)),
            (Layer.LANDLOCK, self._enforce_rules),
            (Layer.DESCRIPTORS, lambda _, given: close_descriptors_but(given.channel.fileno())),
            (Layer.CAPABILITIES, self._drop_capabilities),
            (Layer.SECCOMP, self._enforce_filter),
        )
        self._steps = [step for layer, step in steps if layer in self._layers]

    def limit_beforehand(self) -> None:
        """Limit this process and all that it forks by what is the same for all orders."""
        if Layer.RESOURCE_LIMITS in self._layers:
            limit_alike()

    def close(self, order: Order, given: JobInputs) -> None:
        """Confine this process for good. Raise OSError if one layer fails: then nothing may run.

        Only standard input, output and error stay open, and `given.channel`, the socket to the supervisor.

        The order of the steps matters. A step that needs a descriptor or a right comes before it is given up. A change
        of user clears the parent-death signal. The filter comes last, because it denies what the other steps do.
        """
        for step in self._steps:
            step(order, given)

    def _drop_capabilities(self, _: Order, __: JobInputs) -> None:
        if Layer.USER_NAMESPACE in self._layers:  # which gave a full bounding set; otherwise the zygote's is inherited
            drop_bounding_set()
        drop_capabilities()

    def _leave_network(self, order: Order, _: JobInputs) -> None:
        leaves = not order.access.destinations or self._given.sockets is seccomp.Sockets.BROKERED
        if leaves and self._given.empty_network is not None:
            enter_namespace(self._given.empty_network, CLONE_NEWNET)

    def _enforce_filter(self, order: Order, given: JobInputs) -> None:
        line, program = given.channel, self._programs[bool(order.access.destinations)]
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

    def _enforce_rules(self, order: Order, given: JobInputs) -> None:
        rules = landlock.Ruleset(given.rules)
        if order.terms.directory is not None:
            allow_run_directory(rules, order.terms.directory, order.access)
        if order.access is not NOTHING:
            self._allow_granted(rules, order.access)
        rules.enforce()

    def _allow_granted(self, rules: landlock.Ruleset, access: Access) -> None:
        if Layer.MOUNT_NAMESPACE in self._layers:
            allow_granted_in_root(rules, access)
        elif self._given.granted is not None:
            allow_granted_on_host(rules, access, self._given.granted)
        policy = policy_of(access)
        if policy is not None and self._given.sockets is seccomp.Sockets.FREE:
            rules.allow_connecting_to(policy.ports)
