"""The sandbox of level `none`: child processes in private directories, which nothing contains."""

from __future__ import annotations

import asyncio
import errno
import os
import pwd
import resource
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from scheduler_service.sandbox.collecting import collect_from
from scheduler_service.sandbox.confinement.workdir import Claim, create_directory, remove_directory
from scheduler_service.sandbox.contract.collected import places_below
from scheduler_service.sandbox.contract.command import job_environment, stdin_of
from scheduler_service.sandbox.contract.environment import DEFAULT_ENVIRONMENT, DEFAULT_NAME, PythonEnvironment
from scheduler_service.sandbox.contract.spec import (
    MAX_GRACE_SECONDS,
    OPEN_FILES,
    OUTPUT_WAIT_SECONDS,
    Cancel,
    Command,
    End,
    Isolation,
    Level,
    Limits,
    OnOutput,
    Outcome,
    PythonCode,
    SandboxError,
    Spec,
    Usage,
    explain_end,
)
from scheduler_service.sandbox.output import OutputPipe
from scheduler_service.sandbox.process_group import kill_and_reap, signal_group, wait_for_leftovers
from scheduler_service.sandbox.running import Running
from scheduler_service.sandbox.subprocess_command import write_command
from scheduler_service.sandbox.trial_run import make_trial_runs
from scheduler_service.sandbox.waiting import first_of, until_exit

ISOLATION = Isolation(Level.NONE, ("process_group", "private_directory", "clean_environment"))
_ENDS = (End.EXITED, End.CANCELLED, End.OUTPUT_LIMIT)
_STOPPED = len(_ENDS)
_USERS_MISTAKES = (errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ENOEXEC, errno.E2BIG, errno.EISDIR, errno.ELOOP)


class SubprocessSandbox:
    """Runs each command in a session of its own, in a private directory, with a clean environment.

    For development, and only by explicit choice. Of the limits, only `wall_seconds` and `output_kb` are enforced. A
    process that leaves its process group survives.
    """

    def __init__(
        self,
        root: Path,
        max_grace_seconds: float = MAX_GRACE_SECONDS,
        environments: Sequence[PythonEnvironment] = (DEFAULT_ENVIRONMENT,),
        output_wait_seconds: float = OUTPUT_WAIT_SECONDS,
    ) -> None:
        self.isolation = ISOLATION
        self._output_wait_seconds = output_wait_seconds
        self._root = root.absolute()
        self._claim: Claim | None = None
        self._max_grace_seconds = max_grace_seconds
        self._pythons = {environment.name: environment.python for environment in environments}
        self._running = Running()

    async def start(self) -> None:
        """Claim a directory below the root, and remove what killed processes have left there; idempotent."""
        self._running.stopped.clear()
        if self._claim is None:
            try:
                self._claim = await asyncio.to_thread(Claim, self._root)
            except OSError as error:
                raise SandboxError(f"no directory for runs can be made: {error}") from error

    async def run(self, spec: Spec, on_output: OnOutput, cancel: Cancel) -> Outcome:
        """Run one command to its end; see `Sandbox.run`."""
        with self._running.counted():
            async with self._private_directory() as directory:
                return await self._run_in(directory, spec, on_output, cancel)

    async def try_run(self, *, every: bool = False) -> None:
        """Make trial runs; see `Sandbox.try_run`."""
        names = list(self._pythons)
        await make_trial_runs(self, names if every else names[:1])

    def renew(self) -> None:
        """Do nothing: at this level, runs have no lease; see `Sandbox.renew`."""

    async def stop(self) -> None:
        """Kill what still runs, whose `run` then raises `SandboxError`, and remove all directories."""
        await self._running.stop()
        if self._claim is not None:
            await asyncio.to_thread(self._claim.release)
            self._claim = None

    async def _run_in(self, directory: Path, spec: Spec, on_output: OnOutput, cancel: Cancel) -> Outcome:
        try:
            output = OutputPipe(spec.limits.output_kb, on_output)
        except OSError as error:
            raise SandboxError(f"the host failed: {error}") from error
        try:
            process = self._spawn(spec, directory, output.write_end)
            output.close_write_end()
            outcome = await self._attend(process, spec.limits, output, cancel)
            if not spec.collects:
                return outcome
            max_bytes, room = spec.limits.artifacts_mb << 20, directory.parent
            return replace(outcome, collected=await asyncio.to_thread(collect_from, directory, max_bytes, room))
        except _RejectedError as error:
            return Outcome(End.REJECTED, ISOLATION, message=str(error))
        finally:
            output.close()

    @asynccontextmanager
    async def _private_directory(self) -> AsyncIterator[Path]:
        if self._claim is None:
            raise SandboxError("the sandbox is not started")
        try:
            directory = create_directory(self._claim.path)
        except OSError as error:
            raise SandboxError(f"cannot make a working directory: {error}") from error
        try:
            yield directory
        finally:
            await asyncio.shield(asyncio.to_thread(remove_directory, directory))

    def _spawn(self, spec: Spec, directory: Path, output: int) -> subprocess.Popen[bytes]:
        try:
            python = str(self._python_for(spec.command))
            argv = write_command(spec, python, directory)
            stdin = stdin_of(spec.command)
        except OSError as error:
            raise SandboxError(f"the host failed: {error}") from error
        env = {**spec.env, **places_below(str(directory))} if spec.collects else spec.env
        try:
            process = subprocess.Popen(  # noqa: S603 (running what the user wrote is what this is for)
                argv,
                stdin=stdin,
                stdout=output,
                stderr=output,
                cwd=directory,
                env=job_environment(str(directory), _user_name(), env, python),
                start_new_session=True,
            )
            open_files = min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
            with suppress(OSError):  # it may have ended already
                resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (open_files, open_files))
        except ValueError as error:  # a NUL in an argument or in the environment
            raise _RejectedError(f"the command cannot be started: {error}") from error
        except OSError as error:
            if error.errno in _USERS_MISTAKES and not isinstance(spec.command, PythonCode):
                raise _RejectedError(f"{error.filename or argv[0]}: {error.strerror}") from error
            raise SandboxError(f"cannot start a process: {error}") from error
        else:
            return process
        finally:
            os.close(stdin)

    def _python_for(self, command: Command) -> Path:
        name = command.environment if isinstance(command, PythonCode) else DEFAULT_NAME
        if isinstance(name, PythonEnvironment):
            return name.python
        if python := self._pythons.get(name, DEFAULT_ENVIRONMENT.python if name == DEFAULT_NAME else None):
            return python
        raise _RejectedError(f"there is no Python environment named {name!r}")

    async def _attend(
        self, process: subprocess.Popen[bytes], limits: Limits, output: OutputPipe, cancel: Cancel
    ) -> Outcome:
        pump = asyncio.create_task(output.pump())
        exited = asyncio.create_task(until_exit(process.pid))
        try:
            end = await self._first_end(exited, pump, limits, output, cancel)
            killed = 0
            if end is End.EXITED:
                end = await self._drain(pump, output, cancel)
                killed = await asyncio.to_thread(wait_for_leftovers, process.pid)
            else:
                signal_group(process.pid, signal.SIGTERM)
                await self._wait_in_grace(exited, output, limits)
        except BaseException:
            pump.cancel()
            raise
        finally:
            usage = await asyncio.shield(kill_and_reap(process, exited))
        output.end()
        await pump
        return _conclude(end, process.returncode, usage, limits, output.truncated, killed)

    async def _drain(self, pump: asyncio.Task[None], output: OutputPipe, cancel: Cancel) -> End:
        """Wait until nobody can write output, at most `output_wait_seconds`. A flood ends the run even then."""
        events = (output.hung_up.wait(), cancel.wait(), output.flooded.wait(), self._running.stopped.wait(), pump)
        first = await first_of(*events, timeout_seconds=self._output_wait_seconds)
        if first == _STOPPED:
            raise SandboxError("the sandbox was stopped while the command ran")
        return End.OUTPUT_LIMIT if first == _ENDS.index(End.OUTPUT_LIMIT) else End.EXITED

    async def _wait_in_grace(self, exited: asyncio.Task[None], output: OutputPipe, limits: Limits) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(limits.grace_seconds, self._max_grace_seconds)):
                await asyncio.wait([exited])
                await output.hung_up.wait()

    async def _first_end(
        self, exited: asyncio.Task[None], pump: asyncio.Task[None], limits: Limits, output: OutputPipe, cancel: Cancel
    ) -> End:
        events = (exited, cancel.wait(), output.flooded.wait(), self._running.stopped.wait(), pump)
        first = await first_of(*events, timeout_seconds=limits.wall_seconds)
        if first == _STOPPED:
            raise SandboxError("the sandbox was stopped while the command ran", began=True)
        return End.TIMEOUT if first is None else _ENDS[first]


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without an entry
        return str(os.getuid())


class _RejectedError(Exception):
    """The command is at fault, so another attempt would not help."""


def _conclude(end: End, code: int, usage: Usage, limits: Limits, truncated: bool, killed: int) -> Outcome:  # noqa: FBT001
    exited = end is End.EXITED
    end = End.SIGNALLED if exited and code < 0 else end
    number = -code if end is End.SIGNALLED else None
    return Outcome(
        end,
        ISOLATION,
        exit_code=code if end is End.EXITED else None,
        signal=number,
        usage=usage,
        output_truncated=truncated,
        message=explain_end(end, limits, number, killed),
    )
