"""The confinement of a job's process: the steps between its fork and the user's first instruction, in their order.

The package's docstring says why they come in this order.
"""

from __future__ import annotations

import os
import signal
import socket
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
from scheduler_service.sandbox.confinement.limits import Baseline, OrderLimits
from scheduler_service.sandbox.contract.access import NOTHING, Access
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.network_policy import policy_of
from scheduler_service.sandbox.contract.protocol import JobMessage, Terms, pack_job_message, pack_listener, send
from scheduler_service.sandbox.kernel import landlock, seccomp
from scheduler_service.sandbox.kernel.call_program import (
    CallProgram,
    add_closing_of_descriptors,
    add_drop_of_capabilities,
)
from scheduler_service.sandbox.kernel.cgroup import Membership
from scheduler_service.sandbox.kernel.identity import User, add_change_of_user, enter_user_namespace
from scheduler_service.sandbox.kernel.syscalls import CLONE_NEWNET, Prctl, drop_bounding_set


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

    orders: socket.SocketType
    channel: socket.SocketType
    tasks: int | None
    rules: int | None
    cgroup: Membership | None


class Cell:
    """The confinement of one job: compiled before the fork of its process, and closed in that when the order is there.

    The order of the steps matters. A step that needs a descriptor or a right comes before it is given up. A change of
    user clears the parent-death signal. The filter comes last, because it denies what the other steps do.
    """

    def __init__(self, confinement: Confinement, baseline: Baseline, given: JobInputs) -> None:
        layers = confinement.layers
        self._confinement = confinement
        self._layers = layers
        self._given = given
        self._channel = given.channel
        self._is_brokered = confinement.sockets is seccomp.Sockets.BROKERED
        self._asks_supervisor = confinement.asks_supervisor
        self._has_user_namespace = Layer.USER_NAMESPACE in layers
        self._has_filter = Layer.SECCOMP in layers
        self._limits = OrderLimits(baseline, given.tasks)
        self._leave_network = CallProgram()
        self._become_user = CallProgram()
        self._restrict = CallProgram()
        self._give_up_rights = CallProgram()
        self._compile()
        programs = {network: confinement.filter_for(network=network) for network in (False, True)}
        self._filters = {network: seccomp.Filter(program) for network, program in programs.items()}

    def close(self, access: Access, terms: Terms) -> None:
        """Confine this process for good. Raise OSError if one layer fails: then nothing may run.

        Only standard input, output and error stay open, and the socket to the supervisor.
        """
        network = access is not NOTHING and bool(access.destinations)
        if not network or self._is_brokered:
            self._leave_network.run()
        self._limits.write(access, terms)
        self._become_user.run()
        if self._has_user_namespace:
            enter_user_namespace()
        if access is not NOTHING or terms.directory is not None:
            self._complete_rules(access, terms.directory)
        self._restrict.run()
        if self._has_user_namespace:
            drop_bounding_set()  # the namespace gave a full one; otherwise the zygote's is inherited
        self._give_up_rights.run()
        if self._has_filter:
            self._enforce_filter(access, self._filters[network])

    def _compile(self) -> None:
        confinement, layers, given = self._confinement, self._layers, self._given
        if Layer.NETWORK_NAMESPACE in layers and confinement.empty_network is not None:
            self._leave_network.add("setns", confinement.empty_network, CLONE_NEWNET)
        limits = self._limits if Layer.RESOURCE_LIMITS in layers else None
        if limits:
            limits.set_each(self._become_user)
        if confinement.other_user:
            add_change_of_user(self._become_user, confinement.user)
        if limits:
            limits.set_of_user(self._restrict)
        if Layer.NO_NEW_PRIVILEGES in layers:
            self._restrict.add("prctl", Prctl.SET_NO_NEW_PRIVS, 1)
        if Layer.REAPER in layers:
            self._restrict.add("prctl", Prctl.SET_PDEATHSIG, signal.SIGKILL)
        if given.rules is not None:
            self._restrict.add("landlock_restrict_self", given.rules, 0)
            self._restrict.add("close", given.rules)
        if Layer.DESCRIPTORS in layers:
            add_closing_of_descriptors(self._give_up_rights, given.channel.fileno())
        if Layer.CAPABILITIES in layers:
            add_drop_of_capabilities(self._give_up_rights)

    def _enforce_filter(self, access: Access, filter_: seccomp.Filter) -> None:
        line = self._channel
        if not self._asks_supervisor:
            filter_.enforce()
            return
        listener = filter_.enforce_with_listener()
        if self._is_brokered:
            # From here on the filter asks the supervisor about sendmsg(2), and so about sending a descriptor. The
            # supervisor cannot answer yet, so it is sent the number, and copies the descriptor with pidfd_getfd(2).
            line.sendall(pack_listener(listener, access))
            line.recv(1)
        else:
            send(line, pack_job_message(JobMessage(access=access)), [listener])
        os.close(listener)

    def _complete_rules(self, access: Access, directory: str | None) -> None:
        if self._given.rules is None:
            return
        rules = landlock.Ruleset(self._given.rules)
        if directory is not None:
            allow_run_directory(rules, directory, access)
        if access is not NOTHING:
            self._allow_granted(rules, access)

    def _allow_granted(self, rules: landlock.Ruleset, access: Access) -> None:
        if Layer.MOUNT_NAMESPACE in self._layers:
            allow_granted_in_root(rules, access)
        elif self._confinement.granted is not None:
            allow_granted_on_host(rules, access, self._confinement.granted)
        policy = policy_of(access)
        if policy is not None and self._confinement.sockets is seccomp.Sockets.FREE:
            rules.allow_connecting_to(policy.ports)
