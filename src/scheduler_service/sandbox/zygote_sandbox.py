"""The sandbox of the levels `strict` and `standard`: warm interpreters, and layers that hold."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from scheduler_service.sandbox.confinement.delegation import NotDelegatedError, claim_groups, find_delegated
from scheduler_service.sandbox.confinement.place import open_place
from scheduler_service.sandbox.confinement.shared_memory import directory_of
from scheduler_service.sandbox.confinement.workdir import Claim, create_directory, remove_directory
from scheduler_service.sandbox.contract.command import stdin_of
from scheduler_service.sandbox.contract.environment import DEFAULT_ENVIRONMENT, DEFAULT_NAME, PythonEnvironment
from scheduler_service.sandbox.contract.layers import Layer, layers_of
from scheduler_service.sandbox.contract.network_policy import NetworkPolicy
from scheduler_service.sandbox.contract.protocol import Order, Report, Setup, Terms
from scheduler_service.sandbox.contract.spec import (
    DRAIN_SECONDS,
    Cancel,
    Command,
    End,
    Isolation,
    Level,
    OnOutput,
    Outcome,
    Program,
    PythonCode,
    SandboxError,
    Script,
    Spec,
    Usage,
    explain_end,
)
from scheduler_service.sandbox.kernel.identity import FIRST_UID, LAST_UID, UidPool
from scheduler_service.sandbox.kernel.syscalls import Prctl, prctl
from scheduler_service.sandbox.output import OutputPipe
from scheduler_service.sandbox.rehearsal import rehearse
from scheduler_service.sandbox.running import Running
from scheduler_service.sandbox.runtime.supervisor import CANCEL, FLOOD, RENEW
from scheduler_service.sandbox.waiting import first_of
from scheduler_service.sandbox.zygote_process import SupervisorLine, ZygoteProcess

MOST_STANDBY = 4
_REMOVAL_SECONDS = 1.0
_PUBLIC = NetworkPolicy()
_REPORTED, _STOPPED = 0, 3
_REQUESTS = {1: CANCEL, 2: FLOOD}


class ZygoteSandbox:
    """Runs each command in a process forked from a warm zygote, inside all the layers of its level.

    `slots` is how many commands are expected at once (more are run all the same). `network` says where a job
    with network may connect and send to. `drain_seconds` is how long background processes may hold the output open
    after the main process has ended. `without` leaves layers out: for tests, which show what each is good for.
    What runs is killed where `renew` was not called for `lease_seconds`, whatever has become of this process. No job
    may read what is `private`, nor `root`, even where it lies among programs; see `reach`.
    """

    def __init__(  # noqa: PLR0913 (all but three have defaults)
        self,
        level: Level,
        root: Path,
        slots: int,
        environments: Sequence[PythonEnvironment] = (DEFAULT_ENVIRONMENT,),
        grace_seconds: float = 2.0,
        network: NetworkPolicy = _PUBLIC,
        without: frozenset[Layer] = frozenset(),
        *,
        lease_seconds: float | None = None,
        drain_seconds: float = DRAIN_SECONDS,
        private: Sequence[str] = (),
    ) -> None:
        as_root = os.geteuid() == 0
        self._root = root.absolute()
        self._layers = layers_of(level, as_root=as_root) - without
        self._wants_groups = Layer.CGROUP not in without
        self._groups: Claim | None = None
        self.isolation = Isolation(level, tuple(sorted(self._layers)))
        self._uids = UidPool() if Layer.OWN_USER in self._layers else None
        self._claim: Claim | None = None
        self._grace_seconds = grace_seconds
        self._lease_seconds = lease_seconds
        self._drain_seconds = drain_seconds
        self._ordered: set[SupervisorLine] = set()
        self._removals: set[asyncio.Task[None]] = set()
        self._private = (*private, str(self._root), os.path.realpath(self._root))
        self._network = network
        self._running = Running()
        self._environments = {
            environment.name: self._zygote(environment, min(slots, MOST_STANDBY)) for environment in environments
        }
        # Scripts and programs are forked from an interpreter without libraries: what a fork costs is what it copies.
        default = next((one for one in environments if one.name == DEFAULT_NAME), DEFAULT_ENVIRONMENT)
        self._launcher = self._zygote(replace(default, name="", preload=()), min(slots, MOST_STANDBY))

    async def start(self) -> None:
        """Warm all environments up; raises `SandboxError` where the level cannot be held.

        Where a cgroup is delegated, runs have the layer of that from now on, and without it they fail.
        """
        self._running.stopped.clear()
        if self._claim is None:
            self._claim = await asyncio.to_thread(self._claim_directory)
        prctl(Prctl.SET_DUMPABLE, 0)  # no process of the same user may look into ours, which knows the secrets
        if self._groups is None and self._wants_groups:
            self._groups = await asyncio.to_thread(_claim_groups)
        held = self._layers if self._groups is None else self._layers | {Layer.CGROUP}
        self.isolation = Isolation(self.isolation.level, tuple(sorted(held)))
        mountpoint, groups = str(self._claim.path), "" if self._groups is None else str(self._groups.path)
        await asyncio.gather(*(zygote.start(mountpoint, groups) for zygote in self._zygotes()))

    @property
    def zygote_pids(self) -> dict[str, int | None]:
        """The process of each environment's zygote, to measure it; None while it is not running."""
        return {name: zygote.pid for name, zygote in self._environments.items()}

    async def run(self, spec: Spec, on_output: OnOutput, cancel: Cancel) -> Outcome:
        """Run one command to its end; see `Sandbox.run`."""
        with self._running.counted():
            if self._claim is None:
                raise SandboxError("the sandbox is not started")
            zygote = self._zygote_for(spec.command)
            if zygote is None:
                message = f"there is no Python environment named {getattr(spec.command, 'environment', '')!r}"
                return Outcome(End.REJECTED, self.isolation, message=message)
            supervisor = await zygote.take_supervisor()
            directory = None
            try:
                directory = self._make_directory(supervisor)
                outcome = await self._run_under(supervisor, directory, spec, on_output, cancel)
            except BaseException as error:
                await asyncio.shield(self._tidy_up(zygote, supervisor, directory))
                if isinstance(error, OSError):
                    raise SandboxError(f"the host failed: {error}") from error
                raise
            zygote.bid_farewell(supervisor, directory)  # it has reported, so its run is dead
            return outcome

    async def rehearse(self, *, every: bool = False) -> None:
        """Send trial runs the way of every run; see `Sandbox.rehearse`."""
        names = list(self._environments)
        await rehearse(self, names if every else names[:1])

    def renew(self) -> None:
        """Extend the lease of everything that runs; see `Sandbox.renew`."""
        for supervisor in self._ordered:
            supervisor.request(RENEW)

    async def stop(self) -> None:
        """Kill what still runs, whose `run` then raises `SandboxError`, and end the zygotes."""
        await self._running.stop()
        await asyncio.gather(*(zygote.stop() for zygote in self._zygotes()), *self._removals)
        if self._uids is not None:
            self._uids.close()
        if self._claim is not None:
            await asyncio.to_thread(self._claim.release)
            self._claim = None
        if self._groups is not None:
            await asyncio.to_thread(self._groups.release)
            self._groups = None

    def _zygote(self, environment: PythonEnvironment, standby: int) -> ZygoteProcess:
        setup = Setup(
            layers=tuple(self._layers),
            preload=environment.preload,
            grace_seconds=self._grace_seconds,
            drain_seconds=self._drain_seconds,
            lease_seconds=self._lease_seconds,
            ports=self._network.ports,
            also_reachable=self._network.also,
            python=bool(environment.name),
            private=self._private,
            uids=tuple(range(FIRST_UID, LAST_UID + 1)) if self._uids else (os.getuid(),),
        )
        return ZygoteProcess(environment.python, setup, self._uids, standby)

    def _zygotes(self) -> list[ZygoteProcess]:
        return [*self._environments.values(), self._launcher]

    def _zygote_for(self, command: Command) -> ZygoteProcess | None:
        return self._environments.get(command.environment) if isinstance(command, PythonCode) else self._launcher

    def _claim_directory(self) -> Claim:
        """Claim a directory for all runs; raises `SandboxError` where none can be had."""
        on_host = Layer.MOUNT_NAMESPACE not in self._layers
        try:
            place = open_place(self._root) if self._uids and on_host else self._root
            return Claim(place, 0o711 if self._uids else 0o700)
        except OSError as error:
            raise SandboxError(f"no directory for runs can be made: {error}") from error

    def _make_directory(self, supervisor: SupervisorLine) -> Path | None:
        """Make the run's directory, unless it gets a file system of its own."""
        if Layer.MOUNT_NAMESPACE in self._layers or self._claim is None:
            return None
        directory = create_directory(self._claim.path)
        if self._uids is not None:
            os.chown(directory, supervisor.uid, supervisor.uid)
        return directory

    async def _tidy_up(self, zygote: ZygoteProcess, supervisor: SupervisorLine, directory: Path | None) -> None:
        await zygote.dismiss(supervisor)
        if directory is not None:  # the supervisor has removed it, unless it was killed before it could
            await zygote.sweep()
            removal = asyncio.create_task(asyncio.to_thread(_remove_if_possible, directory))
            self._removals.add(removal)
            removal.add_done_callback(self._removals.discard)
            await asyncio.wait([removal], timeout=_REMOVAL_SECONDS)  # a slot is not held for what takes longer

    async def _run_under(
        self, supervisor: SupervisorLine, directory: Path | None, spec: Spec, on_output: OnOutput, cancel: Cancel
    ) -> Outcome:
        output = OutputPipe(spec.limits.output_kb, on_output)
        if self._uids is not None:
            output.give_to(supervisor.uid)
        pump = asyncio.create_task(output.pump())
        try:
            stdin = [stdin_of(spec.command)] if isinstance(spec.command, Program) else []
            await supervisor.order(write_order(spec, directory), [output.write_end, *stdin], output.read_end)
            self._ordered.add(supervisor)
            for descriptor in stdin:
                os.close(descriptor)
            output.close_write_end()
            report = await self._attend(supervisor, pump, output, cancel)
            output.end()
            await pump
            return self._conclude(report, spec, truncated=output.truncated)
        finally:
            self._ordered.discard(supervisor)
            pump.cancel()
            output.close()

    async def _attend(
        self, supervisor: SupervisorLine, pump: asyncio.Task[None], output: OutputPipe, cancel: Cancel
    ) -> Report:
        report = asyncio.create_task(supervisor.report())
        try:
            first = await first_of(report, cancel.wait(), output.flooded.wait(), self._running.stopped.wait(), pump)
            if first in _REQUESTS:
                supervisor.request(_REQUESTS[first])
                first = await first_of(report, pump)
        finally:
            report.cancel()
        if first != _REPORTED:
            raise SandboxError("the sandbox was stopped while the command ran", began=True)
        said = report.result()
        if said is None:
            raise SandboxError("the supervisor of the run was killed", began=True)
        if said.failure is not None:
            raise SandboxError(f"a layer of the sandbox failed: {said.failure}", began=said.began)
        return said

    def _conclude(self, report: Report, spec: Spec, *, truncated: bool) -> Outcome:
        end = End(report.end)
        number = -report.status if end is End.SIGNALLED else None
        return Outcome(
            end,
            self.isolation,
            exit_code=report.status if end is End.EXITED else None,
            signal=number,
            usage=Usage(report.cpu_seconds, report.max_rss_kb),
            output_truncated=truncated,
            message=report.message or explain_end(end, spec.limits, number, report.killed),
        )


def _remove_if_possible(directory: Path) -> None:
    with suppress(OSError):  # it goes with the service's own directory
        for path in (directory, Path(directory_of(str(directory)))):
            remove_directory(path)


def _claim_groups() -> Claim | None:
    try:
        return claim_groups(find_delegated())
    except (NotDelegatedError, OSError):  # which is no fault: `scheduler doctor` says why
        return None


def write_order(spec: Spec, directory: Path | None) -> Order:
    command, limits = spec.command, spec.limits
    return Order(
        kind=_KINDS[type(command)],
        text=command.code if isinstance(command, PythonCode) else command.text if isinstance(command, Script) else "",
        argv=command.argv if isinstance(command, Program) else (),
        env=dict(spec.env),
        network=limits.network,
        terms=Terms(
            wall_seconds=limits.wall_seconds,
            memory_mb=limits.memory_mb,
            cpu_seconds=limits.cpu_seconds,
            processes=limits.processes,
            disk_mb=limits.disk_mb,
            directory=None if directory is None else str(directory),
        ),
    )


_KINDS: dict[type[Command], str] = {PythonCode: "python", Script: "script", Program: "program"}
