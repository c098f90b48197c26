"""Runs untrusted commands in processes that are confined, measured, and dead when the run is over.

This package stands alone: it imports nothing else of the project, so that it can be read and tested by itself.

Processes
    service         The worker. It knows the secrets, and runs no foreign code. `Sandbox.run` is called here.
    zygote          One for each Python environment, and one for scripts and programs. An interpreter with its modules
                    imported. It forks supervisors before there are runs, so that no run waits for imports. Those of
                    the operator's environments are always there. The one for scripts starts at the second script; see
                    `script_zygote`. Those of environments that come with a run, with packages that nobody trusts,
                    start at their first run and end when idle; see `package_zygotes`.
    supervisor      One for each run at a time. It holds the run to its limits, answers some of its system calls,
                    reports, and kills what is left of it. If nothing is left, it takes the next run.
    spawner         One below each supervisor. It forks the job's process of each run, and knows nothing of any run.
    init            Only at `strict`: process 1 of a PID namespace. The zygote is process 1 of its own, and each
                    supervisor of one below that. For its runs, the supervisor is the init.
    job             The user's code and all that it starts. Its first process waits for the order, confines itself, then
                    becomes the command.
    file broker     Not processes, but the parts of the supervisor that answer system calls of the job about files and
    socket broker   sockets. At those, the filter stops the caller until an answer comes (seccomp_unotify(2)).

    service ──setup, requests──> zygote ──fork──> supervisor ──fork──> spawner ──fork──> job
       │                                              ▲  │                                ▲
       ├───terms, CANCEL, FLOOD, RENEW, NEXT ─────────┘  └── answers ─────────────────────┤
       └───order: code, files, environment, output pipe ──────────────────────────────────┘

Why there is a spawner
    Most of the cost of a run is memory that processes share until one writes to it: the kernel then copies the page,
    and CPython writes to each object that it touches. A supervisor that has had its first run has copies of all pages
    that it needs, so its next run costs only what it computes. But it has seen data of runs, and a job forked from it
    could search its own memory for them. The spawner is forked before the first run, handles no data of runs, and
    forks the jobs. What a job has used is written by the kernel where no job can read it; see `runtime.spawner`.
    A supervisor takes another run only if the last one has ended by itself, has left no process and no file, and has
    changed nothing of supervisor and spawner; see `runtime.spotless`. After `MAX_RUNS` it is replaced in any case.

Trust
    The service trusts the zygote and the supervisors. All of them are code of this package.
    The spawner sees nothing of runs. A supervisor sees only runs of its slot, one after the other.
    Nobody trusts the job. Its output is data. If its memory is read for a decision, the copy is judged and the copy is
    used, because another thread may change the original. A path is opened first, and what is open is judged.
    The zygote does not see orders or output. The supervisor sees the limits of its run and what grants open to it, not
    its code or environment.
    No secret of the service reaches a zygote: it starts with a clean environment and no inherited descriptors. On the
    host, the service makes itself undumpable, so that no process of the same user reads its memory or /proc entries.

Levels
    `strict`        Namespaces: a read-only root that shows only programs and settings, a private place to write, and
                    processes, IPC and network of the run alone. And all of `standard`.
    `standard`      The job sees the host's file system through Landlock, which allows programs and the run's directory.
                    As root, each run has a user id of its own.
    `none`          A child process in its own directory. Nothing contains it; see `subprocess_sandbox`.
    Where the host delegates a cgroup, it comes on top at `strict` and `standard`. `layers` has the list for each level.

What is shared, and what each run has
    The zygote enters its namespaces once: user (without root), PID, mount, UTS. Its runs share the root that it mounts
    there, and one empty network, because making a network namespace takes longer than all else that a run needs.
    Each supervisor gets a PID namespace of its own, with a /proc. For each run it makes new mount and IPC namespaces,
    mounts the run's home and shared memory there, and has process ids begin again.
    The spawner does once what all jobs inherit: limits that are the same for all, filters, streams. It writes down the
    calls that confine a job before it forks the job's process, which makes them in one loop; see `kernel.call_program`.
    The zygote rehearses the path of a job, so that CPython has adapted itself to it in memory that all share.
    A run that may write granted paths gets the user of grants, if the operator names one (`granted_user`).
    Grants (`access`) open host paths, destinations and socket files to single runs. The zygote finds all granted paths
    at its start. At `strict`, a run with such paths gets a root of its own that shows them, and other runs unmount
    them. At `standard`, Landlock allows them. The socket broker connects to granted destinations and socket files.

Order of the steps (`supervisor`, `job`, `confinement.cell`)
    0.  The supervisor makes the namespaces and writes the rules of Landlock. The job's process enters the former.
    1.  Mounts, those of granted paths too, before everything below: they need CAP_SYS_ADMIN, and Landlock forbids
        mounting altogether (landlock(7)).
    2.  The cgroup, while the process is almost bare: what it starts later is born inside. Its limits need the order.
    3.  Empty network: setns(2) needs a right over that namespace.
    4.  Resource limits of each process. Lowering one needs no right (setrlimit(2)), so this place is no necessity.
    5.  The job's user, or without root a user namespace. A change of user clears the parent-death signal (prctl(2)).
    6.  Limits by user (tasks, signals, queues) after that. Since Linux 5.14 they count for each user namespace.
    7.  no_new_privs, without which neither Landlock nor seccomp may be used by a process without rights. Programs with
        set-user-ID gain nothing from here on.
    8.  Parent-death signal, again, because of 5.
    9.  Landlock. Its rules were opened before, since a path may be out of reach by now.
    10. Descriptors: all but standard streams and the socket to the supervisor are closed.
    11. Capabilities, when no step needs one any more.
    12. seccomp last: the filter denies the calls that the steps above made.
    If a step fails, the process reports it and exits. No command runs in fewer layers than its run records.

Deaths
    command         The supervisor waits until the output is closed or `output_wait_seconds` have passed, kills what is
                    left, and reports. If it had to kill, it kills the spawner too, and exits.
    spawner         The job's first process gets its parent-death signal. The supervisor kills the rest, and reports a
                    failure of the sandbox.
    supervisor      `strict`: the kernel kills its whole PID namespace. `standard`: the spawner and then the job's first
                    process get their parent-death signals; orphans become children of the zygote, a subreaper, which
                    kills them. The service reports that the run failed. It removes the directory when the zygote has
                    swept.
    zygote          A pipe hangs up for its supervisors, and each kills its run. At `strict` the kernel kills them all.
                    The service starts a new zygote for the next run.
    service         The sockets to zygotes and supervisors close: supervisors kill their runs, and zygotes exit. The
                    next process with the same root removes the directories and cgroups, whose locks are free.
    service stalls  With a lease, a supervisor that is not renewed in time kills its run, because another worker may
                    start the next attempt.
    host            Nothing is left but directories, which the next start removes.

What a run leaves
    After the run's last process is dead, its supervisor opens the result and the artifacts, then removes the directory,
    and sends the bytes after its report. At `strict` only the supervisor sees the run's file system. The service copies
    the bytes into one file without a name, which the caller reads and closes.

Packages, each of which imports only from those below (see CONTRIBUTING.md)
    (top level)     the service's side: `choice` selects a sandbox, after `probe` and `trial_run`. `zygote_sandbox` and
                    `subprocess_sandbox` are the two; the other modules are parts of theirs
    runtime         the programs of zygote, supervisor, spawner and job
    broker          the syscall broker: answers to the job's system calls. It is not the broker of notices
    accounting      processor time, memory, files and processes of a run
    confinement     the steps by which a process is shut in
    contract        what all sides agree on: specs, outcomes, messages, layers
    kernel          system calls that Python's library does not have
"""

from scheduler_service.sandbox.choice import Choice, ChosenSandbox, create
from scheduler_service.sandbox.contract.access import NOTHING, Access, Destination
from scheduler_service.sandbox.contract.environment import PythonEnvironment
from scheduler_service.sandbox.contract.spec import (
    Cancel,
    Command,
    End,
    Isolation,
    Level,
    Limits,
    OnOutput,
    Outcome,
    Program,
    PythonCode,
    Sandbox,
    SandboxError,
    Script,
    Spec,
    Usage,
)
from scheduler_service.sandbox.kernel.identity import User, is_user_of_single_runs
from scheduler_service.sandbox.probe import Finding, best_level, probe
from scheduler_service.sandbox.subprocess_sandbox import SubprocessSandbox
from scheduler_service.sandbox.zygote_sandbox import ZygoteSandbox

__all__ = [
    "NOTHING",
    "Access",
    "Cancel",
    "Choice",
    "ChosenSandbox",
    "Command",
    "Destination",
    "End",
    "Finding",
    "Isolation",
    "Level",
    "Limits",
    "OnOutput",
    "Outcome",
    "Program",
    "PythonCode",
    "PythonEnvironment",
    "Sandbox",
    "SandboxError",
    "Script",
    "Spec",
    "SubprocessSandbox",
    "Usage",
    "User",
    "ZygoteSandbox",
    "best_level",
    "create",
    "is_user_of_single_runs",
    "probe",
]
