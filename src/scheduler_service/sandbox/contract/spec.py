"""The contract of the sandbox: commands, limits, outcomes, and the methods that every sandbox has."""

from __future__ import annotations

import errno
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from scheduler_service.sandbox.contract.access import NOTHING, Access
from scheduler_service.sandbox.contract.collected import Collected
from scheduler_service.sandbox.contract.environment import DEFAULT_NAME, PythonEnvironment
from scheduler_service.sandbox.contract.wording import printable

OUTPUT_FLOOD_FACTOR = 2048
"""A run is ended once it has written this many times its `output_kb`: nobody reads it, and dropping it costs a core."""

OUTPUT_WAIT_SECONDS = 5.0
"""Background processes that hold a run's output open are killed so long after its main process has ended.

The setting SCHEDULER_DRAIN_SECONDS is something else: how long a worker that shuts down waits for runs."""


OPEN_FILES = 1024
"""A process of a run may have so many open files."""


class Level(StrEnum):
    """The promises of a sandbox, the strictest first; SECURITY.md has them in full."""

    STRICT = "strict"
    STANDARD = "standard"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PythonCode:
    """Python source, run as `__main__` by the interpreter of `environment`.

    That is the name of one that the sandbox was made with, or any other environment itself.
    """

    code: str
    environment: str | PythonEnvironment = DEFAULT_NAME


@dataclass(frozen=True, slots=True)
class Script:
    """A script file; its shebang is honoured, and without one `/bin/bash` runs it."""

    text: str


@dataclass(frozen=True, slots=True)
class Program:
    """A program by its argument vector (`argv[0]` is looked up on the job's PATH), fed `stdin` and then end of file."""

    argv: tuple[str, ...]
    stdin: bytes = b""


Command = PythonCode | Script | Program


MAX_GRACE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The resources that one attempt may use."""

    wall_seconds: float = 300.0
    memory_mb: int = 512
    cpu_seconds: int = 300
    processes: int = 64
    disk_mb: int = 256
    output_kb: int = 1024
    artifacts_mb: int = 64
    # Between SIGTERM and SIGKILL of a command that is cancelled or takes too long.
    grace_seconds: float = 2.0
    network: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """One attempt to run.

    `env` is added to the variables of `job_environment`, and wins over them. `access` is what the command may reach
    besides what every run may. `files` lie in the working directory when the command begins, by their relative names,
    which the caller has checked. If `collects` is set, the run can leave a result and artifacts; see `collected`.
    """

    command: Command
    limits: Limits = field(default_factory=Limits)
    env: Mapping[str, str] = field(default_factory=dict)
    access: Access = NOTHING
    files: Mapping[str, bytes] = field(default_factory=dict)
    collects: bool = False


class End(StrEnum):
    """How an attempt ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMEOUT = "timeout"
    CPU_LIMIT = "cpu_limit"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources that an attempt used, all its processes together.

    `max_rss_kb` is the peak of the largest, or that of all together where a cgroup counts it and it is more.
    """

    cpu_seconds: float = 0.0
    max_rss_kb: int = 0


@dataclass(frozen=True, slots=True)
class Isolation:
    """The level that held during an attempt and the layers that made it so."""

    level: Level
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one attempt.

    `exit_code` is set for EXITED, `signal` for SIGNALLED. `message` is one printable sentence for the user if the end
    needs one. `output_truncated` says that there was more output than `limits.output_kb`, so that its middle was left
    out. The caller must close what is `collected`; None if the spec did not ask for it.
    """

    end: End
    isolation: Isolation
    exit_code: int | None = None
    signal: int | None = None
    usage: Usage = field(default_factory=Usage)
    output_truncated: bool = False
    message: str | None = None
    collected: Collected | None = None
    refused: str | None = None

    def __post_init__(self) -> None:
        """Make the texts printable: they may repeat what the job named its files and programs."""
        for name in ("message", "refused"):
            if (text := getattr(self, name)) is not None:
                object.__setattr__(self, name, printable(text))


def explain_end(end: End, limits: Limits, number: int | None = None, killed: int = 0) -> str | None:
    """Return a sentence about the end: the limit or the signal `number`, and how many processes were `killed`."""
    return "; ".join(filter(None, (_explain_end(end, limits, number), _explain_killed(killed)))) or None


def _explain_killed(count: int) -> str | None:
    if count == 0:
        return None
    processes = "1 background process" if count == 1 else f"{count} background processes"
    return f"killed {processes} still running after the main process had ended; use `wait` to let such processes finish"


def _explain_end(end: End, limits: Limits, number: int | None) -> str | None:
    match end:
        case End.TIMEOUT:
            return f"ran longer than {limits.wall_seconds:g} s"
        case End.CPU_LIMIT:
            return f"used more than {limits.cpu_seconds} s of processor time"
        case End.OUT_OF_MEMORY:
            return f"ran out of memory; its limit is {limits.memory_mb} MiB"
        case End.OUTPUT_LIMIT:
            return f"wrote more than {OUTPUT_FLOOD_FACTOR} times the {limits.output_kb} KiB of output that are kept"
        case End.SIGNALLED if number is not None:
            return f"was ended by {_NAMES_OF_SIGNALS.get(number, f'signal {number}')}"
        case _:
            return None


_NAMES_OF_SIGNALS = {number.value: number.name for number in signal.Signals}


class Cancel(Protocol):
    """The request to stop an attempt; an `asyncio.Event` is one."""

    async def wait(self) -> object:
        """Wait until the attempt must stop."""
        ...


OnOutput = Callable[[bytes], Awaitable[None]]
"""Receives standard output and error as they come, in order, in one stream: at most `output_kb` and a line."""


class Sandbox(Protocol):
    """Runs commands, any number at a time.

    The job's processes are all dead when `run` returns or raises, also when it is cancelled. Its directory is gone too,
    unless it holds so much that this takes long: then it goes on in the background, and `stop` waits for it.
    """

    @property
    def isolation(self) -> Isolation:
        """The level and the layers of every run. All layers are known once the sandbox is started."""
        ...

    async def start(self) -> None:
        """Prepare for runs; idempotent."""
        ...

    async def run(self, spec: Spec, on_output: OnOutput, cancel: Cancel) -> Outcome:
        """Run one command to its end. A failure of the user's code is in the outcome, never an exception.

        Raises `SandboxError` if the host failed (no process, no directory). Then nothing was run, or what was run is
        dead, and another attempt may succeed.
        """
        ...

    async def try_run(self, *, every: bool = False) -> None:
        """Make trial runs, in the way of every run. Raise `SandboxError` if one fails.

        They run a script, and Python code in the default environment, or in all if `every` is set.
        """
        ...

    def renew(self) -> None:
        """Extend the lease of everything that runs, if a lease was set at the start.

        Without it, the runs of a process that hangs are killed before another worker starts them again. At the level
        `none` they are not.
        """
        ...

    async def stop(self) -> None:
        """Kill what still runs and release everything; idempotent."""
        ...


class SandboxError(Exception):
    """The host, not the user's code, prevented or ended an attempt. The message is one printable line."""

    def __init__(self, message: str, *, began: bool = False) -> None:
        """`began` is whether the user's code may have run."""
        super().__init__(printable(" ".join(message.split())))
        self.began = began

    @property
    def is_passing(self) -> bool:
        """Whether the host lacked something that it may have again: disk space, memory, processes, descriptors."""
        error: BaseException | None = self
        while error is not None:
            if isinstance(error, OSError) and error.errno in _PASSING:
                return True
            error = error.__cause__
        return False


_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EIO, errno.EROFS}
