"""The zygote: a clean, warm interpreter that forks a supervisor for each run, and sees nothing of what runs.

It is started as `startup/sitecustomize.py` describes, with few variables of environment. It is told its `Setup` on its
control socket, imports what jobs will want, and then waits for calls. It must stay single-threaded: PR_SET_PDEATHSIG
follows the thread that forked, and threads do not survive a fork.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType

from scheduler_service.sandbox.accounting.process_stats import count_tasks_of_user
from scheduler_service.sandbox.broker.broker_check import why_not_brokered
from scheduler_service.sandbox.confinement import root
from scheduler_service.sandbox.confinement.cell import Confinement
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.network_policy import NetworkPolicy
from scheduler_service.sandbox.contract.protocol import Report, Setup, pack, pack_record, receive
from scheduler_service.sandbox.contract.spec import End
from scheduler_service.sandbox.kernel.cgroup import open_groups
from scheduler_service.sandbox.kernel.identity import counts_tasks_by_namespace, enter_user_namespace, sees_all_tasks
from scheduler_service.sandbox.kernel.syscalls import (
    CLONE_NEWNET,
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
from scheduler_service.sandbox.runtime.reaper import kill_children
from scheduler_service.sandbox.runtime.supervisor import Post, become_supervisor

_SWEEP_SECONDS = 0.1
_hidden: list[ModuleType] = []


def main(control: int) -> None:
    """Serve on the control socket until the service hangs up, then exit with nothing of the zygote left.

    Return in the process of a Python job only, where CPython then runs the job's code.
    """
    with socket.socket(fileno=control) as line:
        setup, _ = receive(line)
        zygote = Zygote(Setup(**json.loads(setup)), line)
        zygote.warm_up()
        line.sendall(pack({"ready": True}))
        if not zygote.serve():
            os._exit(0)
    gc.enable()


class Zygote:
    """Forks supervisors on demand, and kills what a supervisor that was killed has left behind."""

    def __init__(self, setup: Setup, line: socket.socket) -> None:
        self._setup = setup
        self._line = line
        self._layers = frozenset(map(Layer, setup.layers))
        self._wardens: dict[int, int] = {}
        self._alive_for_wardens, self._alive = os.pipe()
        self._own_pids = -1
        self._sees_all_tasks = sees_all_tasks()
        self._counted_apart = Layer.OWN_USER in self._layers and self._sees_all_tasks
        self._empty_network: int | None = None
        self._readable: tuple[str, ...] = ()
        self._broker_failure = ""
        self._fork: Callable[[], int] = os.fork
        self._groups = open_groups(setup.groups) if setup.groups else None

    def warm_up(self) -> None:
        """Enter the namespaces that all runs share, import what is to be warm, and freeze it for sharing."""
        os.umask(0o022)
        prctl(Prctl.SET_CHILD_SUBREAPER, 1)
        self._broker_failure = why_not_brokered(self._layers, self._setup.uids[0])
        self._enter_namespaces()
        if Layer.CAPABILITIES in self._layers:
            drop_bounding_set()
        for name in self._setup.preload:
            with suppress(ImportError):
                importlib.import_module(name)
        self._rehearse()
        if len(os.listdir("/proc/self/task")) == 1:  # a preloaded module may start threads, though it must not
            self._fork = fork_bare
        gc.collect()
        gc.freeze()
        gc.disable()

    def serve(self) -> bool:
        """Fork a supervisor for each message, which brings its lines, until the service hangs up.

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
                        if self._appoint_warden(*descriptors, uid=json.loads(message)["uid"]):
                            return True
                    else:
                        self._line.sendall(pack({"swept": self._sweep()}))
                else:
                    self._bury_warden(descriptor)

    def _rehearse(self) -> None:
        """Leave nothing to each run that can be done once for all."""
        for network in (False, True):
            self._confinement(0).filter_for(network=network)
        # A job sees the packages that its environment has, and not what forked it.
        own = [name for name in sys.modules if name.split(".")[0] == __package__.split(".")[0]]
        _hidden.extend(sys.modules.pop(name) for name in own)

    def _enter_namespaces(self) -> None:
        if Layer.USER_NAMESPACE in self._layers:
            enter_user_namespace()
            self._counted_apart = counts_tasks_by_namespace()
        if Layer.NETWORK_NAMESPACE in self._layers:
            self._empty_network = _make_network()
        if Layer.PID_NAMESPACE in self._layers:
            _become_first_process()
            self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        if Layer.MOUNT_NAMESPACE in self._layers:
            unshare(CLONE_NEWNS | CLONE_NEWUTS)
            socket.sethostname(root.HOSTNAME)
            root.enter_new_root(self._setup.mountpoint, self._setup.uids, self._setup.private)
        else:
            self._readable = root.readable_on_host(self._setup.private)

    def _wait(self) -> list[int]:
        poll = select.poll()
        for descriptor in (self._line.fileno(), *self._wardens):
            poll.register(descriptor, select.POLLIN)
        return [descriptor for descriptor, _ in poll.poll()]

    def _appoint_warden(self, channel: int, orders: int, *, uid: int) -> bool:
        """Fork a supervisor. Return False here, and True in the process of its job."""
        try:
            pid = self._fork_apart()
            if pid == 0:
                self._become_warden(channel, orders, uid)
                return True
            self._wardens[os.pidfd_open(pid)] = pid
        except OSError as error:
            # No process, memory or namespace can be had just now. The other supervisors and their runs must go on.
            report = Report(End.REJECTED, failure=f"{type(error).__name__}: {error}")
            os.write(channel, pack_record(report))
        os.close(channel)
        os.close(orders)
        return False

    def _fork_apart(self) -> int:
        """Fork into a PID namespace of the run's own where the level has one."""
        if Layer.PID_NAMESPACE not in self._layers:
            return self._fork()
        unshare(CLONE_NEWPID)
        pid = -1
        try:
            pid = self._fork()
        finally:
            if pid != 0:
                enter_namespace(self._own_pids, CLONE_NEWPID)
        return pid

    def _become_warden(self, channel: int, orders: int, uid: int) -> None:
        for descriptor in (self._alive, *self._wardens):
            os.close(descriptor)
        self._line.close()
        setup = self._setup
        become_supervisor(
            Post(
                # Told what they are, the sockets need not be asked.
                socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, channel),
                socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, orders),
                self._alive_for_wardens,
                self._confinement(uid),
                setup.grace_seconds,
                setup.drain_seconds,
                setup.lease_seconds,
                setup.python,
                self._groups,
            )
        )

    def _confinement(self, uid: int) -> Confinement:
        network = NetworkPolicy(tuple(self._setup.ports), tuple(self._setup.also_reachable))
        tasks = self._count_existing_tasks(uid)
        return Confinement(self._layers, uid, network, self._empty_network, tasks, self._readable, self._broker_failure)

    def _count_existing_tasks(self, uid: int) -> int | None:
        if self._counted_apart:
            return 0
        return count_tasks_of_user(uid) if self._sees_all_tasks else None

    def _bury_warden(self, descriptor: int) -> None:
        _, status = os.waitpid(self._wardens.pop(descriptor), 0)
        os.close(descriptor)
        if os.WIFSIGNALED(status):
            self._sweep()

    def _close_down(self) -> None:
        """Kill all runs through their supervisors, and what supervisors that died have left."""
        os.close(self._alive)
        for descriptor in list(self._wardens):
            self._bury_warden(descriptor)

    def _sweep(self) -> bool:
        """Kill what supervisors that died have left to us; returns when it is gone.

        Looks for a while, not once: a list of children that is read while they come and go may leave some out.
        """
        deadline = time.monotonic() + _SWEEP_SECONDS
        while kill_children(frozenset(self._wardens.values())) or time.monotonic() < deadline:
            time.sleep(_SWEEP_SECONDS / 20)
        return True


def _make_network() -> int:
    """Return a network namespace with nothing in it, not even a loopback that is up.

    Made once, for it takes the kernel longer than all the rest; in a child, for there may be no way back into ours.
    """
    ours, theirs = socket.socketpair()
    maker = os.fork()
    if maker == 0:
        ours.close()
        try:
            unshare(CLONE_NEWNET)
            theirs.send(b"m")
            theirs.recv(1)
        finally:
            os._exit(0)
    theirs.close()
    if not ours.recv(1):
        raise OSError("cannot make a network namespace")
    network = os.open(f"/proc/{maker}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    ours.close()
    os.waitpid(maker, 0)
    return network


def _become_first_process() -> None:
    """Go on as process 1 of a new PID namespace, which the kernel clears when it dies; the parent only waits for it."""
    unshare(CLONE_NEWPID)
    child = os.fork()
    if child:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    prctl(Prctl.SET_PDEATHSIG, signal.SIGKILL)
