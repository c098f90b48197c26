"""The supervisor of one run: the process between a zygote and a job, and the only one that outlives the job.

A zygote forks it before there is a run. It enters the namespaces of the run, forks the job's process, and waits for its
terms (see `supervised_run`). It reports once, when all processes of the run are dead, and exits.

At level `strict` it is process 1 of the run's PID namespace, so the kernel kills the run when the supervisor dies
(pid_namespaces(7)). At `standard` it is a subreaper: orphans of the run become its children (prctl(2),
PR_SET_CHILD_SUBREAPER). If it is killed there, they become the zygote's, which kills them.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
from contextlib import suppress
from typing import NoReturn

from scheduler_service.sandbox.confinement.root import mount_private, mount_proc
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.protocol import RunReport, pack
from scheduler_service.sandbox.contract.spec import End
from scheduler_service.sandbox.kernel import landlock
from scheduler_service.sandbox.kernel.cgroup import Cgroup
from scheduler_service.sandbox.kernel.syscalls import CLONE_NEWIPC, CLONE_NEWNS, Prctl, prctl, unshare
from scheduler_service.sandbox.runtime.job import become_job
from scheduler_service.sandbox.runtime.reaper import kill_all
from scheduler_service.sandbox.runtime.supervised_run import SupervisedRun
from scheduler_service.sandbox.runtime.supervisor_setup import SupervisorSetup


def become_supervisor(setup: SupervisorSetup) -> None:
    """Prepare a run, wait for its terms, supervise it to its end, report, and exit.

    Return in the process of the run's job only, once it is ready for Python code to run there; see `become_job`.
    """
    cgroup = None
    try:
        cgroup = Cgroup(setup.cgroups) if setup.cgroups is not None else None
        run = _prepare(setup, cgroup)
    except BaseException as error:  # noqa: BLE001 (the service must hear of it, and the job must die)
        _fail(setup, cgroup, error, began=False)
    if run is not None:
        _complete(setup, cgroup, run)


def _complete(setup: SupervisorSetup, cgroup: Cgroup | None, run: SupervisedRun) -> NoReturn:
    terms = None
    try:
        run.prefault()
        terms = run.wait_for_terms()
        reason = run.supervise(terms) if terms else None
        run.end(reason)
        if terms and reason:
            _report(setup, run.build_report(reason, terms))
            run.send_collected()
            run.remove_the_rest()
    except BaseException as error:  # noqa: BLE001 (as above)
        _fail(setup, cgroup, error, began=terms is not None)
    _exit(cgroup)


def _fail(setup: SupervisorSetup, cgroup: Cgroup | None, error: BaseException, *, began: bool) -> NoReturn:
    _report(setup, RunReport(End.REJECTED, failure=f"{type(error).__name__}: {error}", began=began))
    try:
        kill_all(setup.confinement.layers, setup.confinement.user, cgroup)
    finally:
        _exit(cgroup)


def _exit(cgroup: Cgroup | None) -> NoReturn:
    try:
        if cgroup is not None:
            cgroup.remove()
    finally:
        os._exit(0)


def _report(setup: SupervisorSetup, report: RunReport) -> None:
    with suppress(OSError):  # the service may be gone
        setup.service.sendall(pack(report))


def _prepare(setup: SupervisorSetup, cgroup: Cgroup | None) -> SupervisedRun | None:
    """Start the job's process. Return its run in the supervisor, and None in the job itself when its code may run."""
    os.setsid()
    prctl(Prctl.SET_CHILD_SUBREAPER, 1)
    _enter_namespaces(setup)
    if setup.confinement.shares_user and Layer.LANDLOCK in setup.confinement.layers:
        prctl(Prctl.SET_NO_NEW_PRIVS, 1)
        landlock.scope_signals()  # so that `reaper` may signal all that it can, and hits nobody outside the run
    ours, theirs = socket.socketpair()
    note = mmap.mmap(-1, 1)
    job = os.fork()
    if job == 0:
        # A copy that stays open here would keep the others, and the job, from noticing that the supervisor is gone.
        for sock in (setup.service, ours):
            sock.close()
        os.close(setup.zygote)
        become_job(setup.orders, theirs, setup.confinement, cgroup, note, python=setup.python, packages=setup.packages)
        return None
    theirs.close()
    setup.orders.close()
    return SupervisedRun(setup, cgroup, job, ours, note)


def _enter_namespaces(setup: SupervisorSetup) -> None:
    """Enter the namespaces of the run. The PID namespace is there already: only the fork could enter it."""
    layers = setup.confinement.layers
    if Layer.PID_NAMESPACE in layers:
        prctl(Prctl.SET_PDEATHSIG, signal.SIGKILL)
    if Layer.MOUNT_NAMESPACE in layers:
        unshare(CLONE_NEWNS)
        mount_private(setup.confinement.user)
        if Layer.PID_NAMESPACE in layers:
            mount_proc()  # after the fork: a new proc shows the PID namespace of the process that mounts it
    if Layer.IPC_NAMESPACE in layers:
        unshare(CLONE_NEWIPC)
