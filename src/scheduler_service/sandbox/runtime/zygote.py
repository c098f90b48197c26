"""The zygote: an interpreter with its modules imported, which forks a supervisor for each run.

It starts as `startup/sitecustomize.py` describes, with few environment variables and none of the service's secrets. It
receives its setup on the control socket, enters the namespaces that all runs share, imports the modules that jobs will
want, and then waits for requests. It never sees an order or a byte of output.

It must stay single-threaded. Threads do not survive a fork, and PR_SET_PDEATHSIG fires when the forking thread ends,
not the process (prctl(2)).
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from types import ModuleType

from scheduler_service.sandbox.accounting.process_stats import count_tasks_of_user
from scheduler_service.sandbox.broker.broker_check import why_not_brokered
from scheduler_service.sandbox.confinement import root
from scheduler_service.sandbox.confinement.cell import Confinement
from scheduler_service.sandbox.confinement.granted_paths import GrantedPaths
from scheduler_service.sandbox.confinement.limits import allow_many_open_files
from scheduler_service.sandbox.confinement.namespaces import become_first_process, make_empty_network
from scheduler_service.sandbox.confinement.readable_paths import readable_on_host
from scheduler_service.sandbox.contract.layers import Layer, layers_with_granted_user
from scheduler_service.sandbox.contract.protocol import (
    DONE,
    RunReport,
    SupervisorRequest,
    ZygoteSetup,
    pack,
    parse_supervisor_request,
    receive,
)
from scheduler_service.sandbox.contract.spec import End
from scheduler_service.sandbox.kernel.cgroup import open_cgroups
from scheduler_service.sandbox.kernel.identity import (
    User,
    counts_tasks_by_namespace,
    enter_user_namespace,
    sees_all_tasks,
)
from scheduler_service.sandbox.kernel.syscalls import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    Prctl,
    drop_bounding_set,
    enter_namespace,
    fork_bare,
    prctl,
    unshare,
)
from scheduler_service.sandbox.runtime.fork_hooks import ForkHooks
from scheduler_service.sandbox.runtime.library_ends import LibraryEnds
from scheduler_service.sandbox.runtime.preloading import preload
from scheduler_service.sandbox.runtime.python_code import Interpreter
from scheduler_service.sandbox.runtime.reaper import kill_children
from scheduler_service.sandbox.runtime.rehearsal import rehearse_job, rehearse_script
from scheduler_service.sandbox.runtime.supervisor import become_supervisor
from scheduler_service.sandbox.runtime.supervisor_setup import SupervisorSetup

_SWEEP_SECONDS = 0.1
_kept: list[object] = []
_hidden: list[ModuleType] = []
"""Keeps our own modules alive after they left `sys.modules`, where a job would see them."""


def main(control: int) -> None:
    """Serve requests on the control socket until the service hangs up, then exit.

    Return in the process of a Python job only, where CPython then runs the job's code.
    """
    with socket.socket(fileno=control) as line:
        setup, _ = receive(line)
        zygote = Zygote(ZygoteSetup(**json.loads(setup)), line)
        _kept.append(zygote)  # a job's process would free it, and write to memory that the kernel then copies
        zygote.prepare()
        line.sendall(DONE)
        if not zygote.serve():
            os._exit(0)
    gc.enable()


class Zygote:
    """Forks supervisors on demand, and kills what a supervisor that was killed has left behind."""

    def __init__(self, setup: ZygoteSetup, line: socket.socket) -> None:
        self._setup = setup
        self._line = line
        self._layers = frozenset(map(Layer, setup.layers))
        self._users = [User(*user) for user in setup.users]
        self._granted_user = User(*setup.granted_user) if setup.granted_user else None
        self._supervisors: dict[int, int] = {}  # pidfd: pid
        self._alive_read_end, self._alive_write_end = os.pipe()  # hangs up for all supervisors when the zygote dies
        self._own_pids = -1
        self._sees_all_tasks = sees_all_tasks()
        self._counted_apart = Layer.OWN_USER in self._layers and self._sees_all_tasks
        self._empty_network: int | None = None
        self._readable: tuple[str, ...] = ()
        self._granted: GrantedPaths | None = None
        self._broker_failure = ""
        self._fork: Callable[[], int] = os.fork
        self._hooks = ForkHooks()
        self._interpreter: Interpreter | None = None
        self._cgroups = open_cgroups(setup.cgroups) if setup.cgroups else None

    def prepare(self) -> None:
        """Enter the namespaces that all runs share, import the preloaded modules, and freeze the heap for sharing."""
        os.umask(0o022)
        allow_many_open_files()
        prctl(Prctl.SET_CHILD_SUBREAPER, 1)
        self._broker_failure = why_not_brokered(self._layers, self._users[0])
        self._enter_namespaces()
        if Layer.CAPABILITIES in self._layers:
            drop_bounding_set()
        with self._hooks.recorded():
            preload(self._setup.preload, self._setup.packages)
        if self._setup.python:
            self._interpreter = Interpreter(self._setup.packages, self._hooks.generators, LibraryEnds())
        self._prefault()
        if len(os.listdir("/proc/self/task")) == 1:  # a preloaded module may start threads, though it must not
            self._fork = fork_bare
        # The collector writes to the header of each object that it visits, so a collection in a child would copy all
        # the memory that it shares with us. Frozen objects are not visited.
        gc.collect()
        gc.freeze()
        gc.disable()
        rehearse_job(self._users[0])
        if self._interpreter is not None:
            rehearse_script(self._interpreter)
        gc.collect()
        gc.freeze()

    def serve(self) -> bool:
        """Fork a supervisor for each request until the service hangs up.

        Return False then, and True in the process of a job that is ready to run Python code.
        """
        while True:
            for descriptor in self._wait():
                if descriptor == self._line.fileno():
                    try:
                        message, descriptors = receive(self._line)
                    except EOFError:
                        self._close_down()
                        return False
                    if descriptors:
                        if self._start_supervisor(*descriptors, request=parse_supervisor_request(message)):
                            return True
                    else:
                        self._sweep()
                        self._line.sendall(DONE)
                else:
                    self._reap_supervisor(descriptor)

    def _prefault(self) -> None:
        """Assemble both filters, which are cached, and hide our modules, so that no run has to."""
        for network in (False, True):
            self._confinement(SupervisorRequest(*self._users[0])).filter_for(network=network)
        # A job must find the packages of its environment, and not ours.
        own = [name for name in sys.modules if name.split(".")[0] == __package__.split(".")[0]]
        _hidden.extend(sys.modules.pop(name) for name in own)

    def _enter_namespaces(self) -> None:
        # The user namespace comes first: without root, it grants the rights over all others (user_namespaces(7)). The
        # mounts come last, because /proc shows the PID namespace of the process that mounts it.
        if Layer.USER_NAMESPACE in self._layers:
            enter_user_namespace()
            self._counted_apart = counts_tasks_by_namespace()
        if Layer.NETWORK_NAMESPACE in self._layers:
            self._empty_network = make_empty_network()
        if Layer.PID_NAMESPACE in self._layers:
            become_first_process()
            self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        if Layer.MOUNT_NAMESPACE in self._layers:
            unshare(CLONE_NEWNS | CLONE_NEWUTS)
            socket.sethostname(root.HOSTNAME)
            # In the namespace of its own: a path that was opened in another cannot be mounted here.
            self._granted = GrantedPaths(self._setup.granted)
            root.enter_new_root(self._setup.mountpoint, self._users, self._setup.private, self._granted)
        else:
            self._granted = GrantedPaths(self._setup.granted)
            self._readable = readable_on_host(self._setup.private)

    def _wait(self) -> list[int]:
        poll = select.poll()
        for descriptor in (self._line.fileno(), *self._supervisors):
            poll.register(descriptor, select.POLLIN)
        return [descriptor for descriptor, _ in poll.poll()]

    def _start_supervisor(self, channel: int, orders: int, *, request: SupervisorRequest) -> bool:
        """Fork a supervisor. Return False here, and True in the process of its job."""
        try:
            pid = self._fork_apart()
            if pid == 0:
                self._run_supervisor(channel, orders, request)
                return True
            self._supervisors[os.pidfd_open(pid)] = pid
        except OSError as error:
            # The host is out of processes, memory or namespaces. The other supervisors and their runs must go on.
            report = RunReport(End.REJECTED, failure=f"{type(error).__name__}: {error}")
            os.write(channel, pack(report))
        os.close(channel)
        os.close(orders)
        return False

    def _fork_apart(self) -> int:
        """Fork, into a new PID namespace if the level has one."""
        if Layer.PID_NAMESPACE not in self._layers:
            return self._fork()
        unshare(CLONE_NEWPID)
        pid = -1
        try:
            pid = self._fork()
        finally:
            # The kernel allows one unshare(CLONE_NEWPID) until we return to our own; see pid_namespaces(7).
            if pid != 0:
                enter_namespace(self._own_pids, CLONE_NEWPID)
        return pid

    def _run_supervisor(self, channel: int, orders: int, request: SupervisorRequest) -> None:
        # A supervisor that kept these would hide the death of the zygote from the others, and the end of the others
        # from the zygote.
        for descriptor in (self._alive_write_end, *self._supervisors):
            os.close(descriptor)
        self._line.close()
        setup = self._setup
        become_supervisor(
            SupervisorSetup(
                # With family and type given, Python does not ask the kernel for them.
                service=socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, channel),
                orders=socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, orders),
                zygote=self._alive_read_end,
                confinement=self._confinement(request),
                max_grace_seconds=setup.max_grace_seconds,
                output_wait_seconds=setup.output_wait_seconds,
                lease_seconds=setup.lease_seconds,
                cgroups=self._cgroups,
                fork=self._hooks.fork,
                interpreter=self._interpreter,
            )
        )

    def _confinement(self, request: SupervisorRequest) -> Confinement:
        user, layers = User(request.uid, request.gid), self._layers
        tasks = self._count_existing_tasks(user.uid)
        if user == self._granted_user:
            layers, tasks = layers_with_granted_user(layers), request.tasks
        return Confinement(
            layers, user, self._empty_network, tasks, self._readable, self._granted, self._broker_failure
        )

    def _count_existing_tasks(self, uid: int) -> int | None:
        if self._counted_apart:
            return 0
        return count_tasks_of_user(uid) if self._sees_all_tasks else None

    def _reap_supervisor(self, descriptor: int) -> None:
        _, status = os.waitpid(self._supervisors.pop(descriptor), 0)
        os.close(descriptor)
        if os.WIFSIGNALED(status):
            self._sweep()

    def _close_down(self) -> None:
        """End all supervisors, which kill their runs, and kill what a killed supervisor has left behind."""
        os.close(self._alive_write_end)
        for descriptor in list(self._supervisors):
            self._reap_supervisor(descriptor)

    def _sweep(self) -> None:
        """Kill what dead supervisors have left to us, and wait until it is gone.

        Repeats for a while: a list of children that is read while they come and go may leave some out (see
        /proc/PID/task/TID/children in proc(5)).
        """
        deadline = time.monotonic() + _SWEEP_SECONDS
        while kill_children(frozenset(self._supervisors.values())) or time.monotonic() < deadline:
            time.sleep(_SWEEP_SECONDS / 20)
