"""The supervisor: the process between a zygote and the jobs of one slot, and the only one that outlives them.

A zygote forks it before there is a run. For each run it makes the run's namespaces, has its spawner fork the job's
process, and waits for its terms (see `supervised_run`). It reports once when all processes of the run are dead. If the
run has left nothing behind, the supervisor takes the next one. Otherwise it exits, and the zygote forks another.

At level `strict` it is process 1 of a PID namespace, so the kernel kills the run when the supervisor dies
(pid_namespaces(7)). At `standard` it is a subreaper: orphans of the run become its children (prctl(2),
PR_SET_CHILD_SUBREAPER). If it is killed there, they become the zygote's, which kills them.
"""

from __future__ import annotations

import math
import mmap
import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NoReturn

from scheduler_service.sandbox.accounting.children import Children
from scheduler_service.sandbox.accounting.process_stats import count_tasks_of_user
from scheduler_service.sandbox.confinement.cell import JobInputs
from scheduler_service.sandbox.confinement.run_namespaces import RunNamespaces
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.protocol import NEXT, RULES_WRITTEN, RunReport, pack
from scheduler_service.sandbox.contract.spec import End
from scheduler_service.sandbox.kernel import landlock
from scheduler_service.sandbox.kernel.cgroup import Cgroup
from scheduler_service.sandbox.kernel.syscalls import Prctl, prctl
from scheduler_service.sandbox.runtime.job import JobProcess
from scheduler_service.sandbox.runtime.polling import wait_for_descriptors
from scheduler_service.sandbox.runtime.reaper import kill_all
from scheduler_service.sandbox.runtime.spawner import NoSpawner, Spawner, start_spawner
from scheduler_service.sandbox.runtime.spotless import State
from scheduler_service.sandbox.runtime.supervised_run import SupervisedRun
from scheduler_service.sandbox.runtime.supervisor_setup import SupervisorSetup

_kept: list[object] = []
"""Keeps what the process of a job needs no more. Freeing it would write to memory that the kernel then copies."""
_RECOUNT_SECONDS = 1.0
MAX_RUNS = 256
"""How many runs a supervisor takes. The next one begins with the memory of the zygote again."""


def become_supervisor(setup: SupervisorSetup) -> None:
    """Prepare a run, wait for its terms, supervise it to its end, and report; then the next one, or exit.

    Return in the processes of jobs only, once one is ready for Python code to run there; see `become_job`.
    """
    supervisor = _Supervisor(setup)
    _kept.append(supervisor)
    try:
        if supervisor.prepare():
            supervisor.serve()
    except BaseException as error:  # noqa: BLE001 (the service must hear of it, and the job must die)
        supervisor.fail(error)


class _Supervisor:
    def __init__(self, setup: SupervisorSetup) -> None:
        self._setup = setup
        self._confinement = setup.confinement
        self._layers = setup.confinement.layers
        self._note = mmap.mmap(-1, mmap.PAGESIZE)
        self._cgroup: Cgroup | None = None
        self._children = Children()
        self._began = False
        self._counted_at = -math.inf

    def prepare(self) -> bool:
        """Enter the namespaces of this slot and start its spawner. Return False in the process of a job."""
        os.setsid()
        prctl(Prctl.SET_CHILD_SUBREAPER, 1)
        if Layer.PID_NAMESPACE in self._layers:
            prctl(Prctl.SET_PDEATHSIG, signal.SIGKILL)
        self._namespaces = RunNamespaces(self._layers, self._confinement.user)
        if self._confinement.shares_user and Layer.LANDLOCK in self._layers:
            prctl(Prctl.SET_NO_NEW_PRIVS, 1)
            landlock.scope_signals()  # so that `reaper` may signal all that it can, and hits nobody outside the run
        spawner = self._start_spawner()
        if spawner is None:
            return False
        self._spawner = spawner
        others = [spawner.pid] if self._confinement.has_spawner else []
        self._state = State(others, shares_user=self._confinement.other_user is None)
        return True

    def _start_spawner(self) -> Spawner | NoSpawner | None:
        setup = self._setup
        namespaces = (os.pidfd_open(os.getpid()), self._namespaces.kinds if self._confinement.has_spawner else 0)
        job = JobProcess(self._confinement, self._note, namespaces, setup.interpreter)
        if not self._confinement.has_spawner:
            return NoSpawner(setup.fork, job, self._leave)
        leave = partial(self._leave, setup.orders)
        return start_spawner(setup.fork, job, leave, namespaced=Layer.PID_NAMESPACE in self._layers)

    def serve(self) -> None:
        """Supervise one run after the other, as long as each leaves nothing behind and the service wants more.

        Return in the process of a job only.
        """
        orders: socket.socket | None = self._setup.orders
        tasks = self._confinement.existing_tasks
        left = MAX_RUNS
        while orders is not None:
            run = self._begin(orders, tasks)
            if run is None:
                return
            if left == MAX_RUNS:
                run.prefault()
            left -= 1
            orders = self._wait_for_next() if self._complete(run, is_last=left == 0) else None
            tasks = tasks and self._recount(tasks)
        self._spawner.end()
        os._exit(0)

    def _recount(self, tasks: int) -> int:
        """Return how many tasks the user has: `tasks`, if they were counted a moment ago.

        A count reads all of /proc, and a limit by an old one has room for hundreds more; see `OrderLimits`.
        """
        if time.monotonic() < self._counted_at + _RECOUNT_SECONDS:
            return tasks
        self._counted_at = time.monotonic()
        return count_tasks_of_user(self._confinement.user.uid)

    def fail(self, error: BaseException) -> NoReturn:
        """Report what went wrong, kill all, and exit."""
        report = RunReport(End.REJECTED, failure=f"{type(error).__name__}: {error}", began=self._began)
        self._report(report)
        try:
            kill_all(self._layers, self._confinement.user, self._cgroup, self._children)
            self._remove_cgroup()
        finally:
            os._exit(0)

    def _begin(self, orders: socket.socket, tasks: int | None) -> SupervisedRun | None:
        """Make the namespaces and the cgroup of a run, and start the process of its job. Return None in that process.

        `tasks` is how many tasks the kernel counts together with the job's; None if that cannot be seen.
        """
        self._began = False
        self._children = Children(self._spawner.pid)
        self._note[:] = bytes(mmap.PAGESIZE)  # the last run may have written there
        self._namespaces.enter_new()
        self._cgroup = None if self._setup.cgroups is None else Cgroup(self._setup.cgroups)
        rules = self._confinement.write_rules()
        self._ours, theirs = socket.socketpair()
        with orders, theirs:
            given = JobInputs(orders, theirs, tasks, None if rules is None else rules.descriptor, self._cgroup)
            job = self._spawner.spawn(given)
        if job == 0:
            return None
        if rules is not None:
            self._confinement.allow_own_process(rules, job)
            os.close(rules.descriptor)
        self._ours.send(RULES_WRITTEN)
        return SupervisedRun(self._setup, self._spawner, self._cgroup, job, self._ours, self._note, self._children)

    def _complete(self, run: SupervisedRun, *, is_last: bool) -> bool:
        """Supervise a run to its end, and report. Return whether this supervisor can take another run."""
        terms = run.wait_for_terms()
        self._began = terms is not None
        reason = run.supervise(terms) if terms else None
        run.end(reason)
        report = run.build_report(reason, terms) if terms and reason else None
        self._remove_cgroup()
        if report is None:
            return False
        run.close()
        self._namespaces.leave()
        # The order socket of the first run was open when the state was taken.
        stays = not is_last and run.is_spotless and self._state.is_unchanged(run.remains.open_files - 1)
        self._report(replace(report, stays=stays))
        run.remains.send(self._setup.service.sendall)
        run.remains.remove_the_rest(self._setup.zygote)
        return stays

    def _wait_for_next(self) -> socket.socket | None:
        """Return the order socket of the next run; None if the service or the zygote is gone, or wants no more runs."""
        service, zygote = self._setup.service, self._setup.zygote
        while zygote not in wait_for_descriptors([service.fileno(), zygote]):
            request, descriptors, _, _ = socket.recv_fds(service, 1, 1)
            if not request:
                break
            if request == NEXT:  # what came before it was meant for the last run
                return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptors[0])
        return None

    def _remove_cgroup(self) -> None:
        if self._cgroup is not None:
            self._cgroup.remove()
            self._cgroup = None

    def _report(self, report: RunReport) -> None:
        with suppress(OSError):  # the service may be gone
            self._setup.service.sendall(pack(report))

    def _leave(self, sock: socket.socket | None = None) -> None:
        """Close what only the supervisor needs, in a process below it: copies would hide ends of processes."""
        self._setup.service.close()
        (sock or self._ours).close()
        os.close(self._setup.zygote)
