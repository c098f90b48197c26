"""The sandbox of the levels `strict` and `standard`: zygotes, one for each Python environment and one for the rest.

This is the service's side. It keeps the zygotes, makes the directories of runs, and hands orders to supervisors; the
package's docstring says who does what.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from scheduler_service.sandbox.collecting import receive_collected
from scheduler_service.sandbox.confinement.delegation import NotDelegatedError, claim_cgroups, find_delegated
from scheduler_service.sandbox.confinement.run_root import choose_run_root
from scheduler_service.sandbox.confinement.shared_memory import directory_of
from scheduler_service.sandbox.confinement.workdir import Claim, create_directory, remove_directory
from scheduler_service.sandbox.contract.access import Destination
from scheduler_service.sandbox.contract.environment import (
    DEFAULT_ENVIRONMENT,
    DEFAULT_NAME,
    DEFAULT_WARMTH,
    PythonEnvironment,
    Warmth,
)
from scheduler_service.sandbox.contract.layers import Layer, layers_of
from scheduler_service.sandbox.contract.network_policy import WEB
from scheduler_service.sandbox.contract.protocol import RENEW, ZygoteSetup
from scheduler_service.sandbox.contract.spec import (
    MAX_GRACE_SECONDS,
    OUTPUT_WAIT_SECONDS,
    Cancel,
    Command,
    End,
    Isolation,
    Level,
    OnOutput,
    Outcome,
    PythonCode,
    SandboxError,
    Spec,
)
from scheduler_service.sandbox.granted_user import isolation_with_granted_user, why_not_shared
from scheduler_service.sandbox.kernel.identity import FIRST_UID, LAST_UID, UidPool, User
from scheduler_service.sandbox.kernel.syscalls import Prctl, prctl
from scheduler_service.sandbox.orders import build_outcome, send_order, wait_for_report
from scheduler_service.sandbox.output import OutputPipe
from scheduler_service.sandbox.package_zygotes import PackageZygotes
from scheduler_service.sandbox.running import Running
from scheduler_service.sandbox.script_zygote import ScriptZygote
from scheduler_service.sandbox.supervisor_client import SupervisorClient
from scheduler_service.sandbox.trial_run import make_trial_runs
from scheduler_service.sandbox.zygote_process import ZygoteProcess

MAX_STANDBY = 4
_REMOVAL_SECONDS = 1.0


class ZygoteSandbox:
    """Runs each command in a process forked from a zygote, inside all the layers of its level.

    `slots` is how many commands are expected at once; more are run all the same. `limits.network` opens the
    destinations of `network`, and orders may open paths that are `granted`. Those that may write some run as
    `granted_user`, as root and if there is one. Background processes may hold the output open for
    `output_wait_seconds` after the main process has ended. `without` leaves layers out: for tests, which show what each
    is good for. Commands are killed if `renew` is not called for `lease_seconds`, even if this process has died.
    No job may read `root` or the paths in `private`, even if they lie among programs; see `readable_paths`.
    """

    def __init__(  # noqa: PLR0913 (all but three have defaults)
        self,
        level: Level,
        root: Path,
        slots: int,
        environments: Sequence[PythonEnvironment] = (DEFAULT_ENVIRONMENT,),
        max_grace_seconds: float = MAX_GRACE_SECONDS,
        network: Sequence[Destination] = WEB,
        without: frozenset[Layer] = frozenset(),
        *,
        lease_seconds: float | None = None,
        output_wait_seconds: float = OUTPUT_WAIT_SECONDS,
        private: Sequence[str] = (),
        granted: Sequence[str] = (),
        granted_user: User | None = None,
        warmth: Warmth = DEFAULT_WARMTH,
    ) -> None:
        as_root = os.geteuid() == 0
        self._root = root.absolute()
        self._layers = layers_of(level, as_root=as_root) - without
        self._wants_cgroups = Layer.CGROUP not in without
        self._cgroups: Claim | None = None
        self.isolation = Isolation(level, tuple(sorted(self._layers)))
        self._uids = UidPool() if Layer.OWN_USER in self._layers else None
        self._claim: Claim | None = None
        self._max_grace_seconds = max_grace_seconds
        self._lease_seconds = lease_seconds
        self._output_wait_seconds = output_wait_seconds
        self._ordered: set[SupervisorClient] = set()
        self._removals: set[asyncio.Task[None]] = set()
        self._private = (*private, str(self._root), os.path.realpath(self._root))
        self._granted = granted
        self._granted_user = granted_user if self._uids else None
        self._network = tuple(network)
        self._running = Running()
        self._environments = {
            environment.name: self._zygote(environment, min(slots, MAX_STANDBY)) for environment in environments
        }
        self._package_zygotes = PackageZygotes(lambda environment: self._zygote(environment, 1), warmth)
        default = next((one for one in environments if one.name == DEFAULT_NAME), DEFAULT_ENVIRONMENT)
        launcher = self._zygote(replace(default, name="", preload=()), min(slots, MAX_STANDBY))
        self._launcher = ScriptZygote(launcher, self._environments.get(DEFAULT_NAME))

    async def start(self) -> None:
        """Start the zygotes of all environments. Raise `SandboxError` if the level cannot be held.

        If a cgroup is delegated, it is a layer of each run from now on, and a run that cannot have it fails.
        """
        self._running.stopped.clear()
        if self._claim is None:
            self._claim = await asyncio.to_thread(self._claim_directory)
        prctl(Prctl.SET_DUMPABLE, 0)  # no process of the same user may look into ours, which knows the secrets
        if self._cgroups is None and self._wants_cgroups:
            self._cgroups = await asyncio.to_thread(_claim_cgroups)
        held = self._layers if self._cgroups is None else self._layers | {Layer.CGROUP}
        self.isolation = Isolation(self.isolation.level, tuple(sorted(held)))
        mountpoint, cgroups = str(self._claim.path), "" if self._cgroups is None else str(self._cgroups.path)
        self._package_zygotes.start(mountpoint, cgroups)
        started = (zygote.start(mountpoint, cgroups) for zygote in self._environments.values())
        await asyncio.gather(*started, self._launcher.start(mountpoint, cgroups))

    async def run(self, spec: Spec, on_output: OnOutput, cancel: Cancel) -> Outcome:
        """Run one command to its end; see `Sandbox.run`."""
        with self._running.counted():
            if self._claim is None:
                raise SandboxError("the sandbox is not started")
            async with self._zygote_for(spec.command) as zygote:
                if zygote is None:
                    message = f"there is no Python environment named {getattr(spec.command, 'environment', '')!r}"
                    return Outcome(End.REJECTED, self.isolation, message=message)
                return await self._run_from(zygote, spec, on_output, cancel)

    async def try_run(self, *, every: bool = False) -> None:
        """Make trial runs; see `Sandbox.try_run`."""
        names = list(self._environments)
        await make_trial_runs(self, names if every else names[:1])

    def renew(self) -> None:
        """Extend the lease of everything that runs; see `Sandbox.renew`."""
        for supervisor in self._ordered:
            supervisor.request(RENEW)

    async def stop(self) -> None:
        """Kill what still runs, whose `run` then raises `SandboxError`, and end the zygotes."""
        await self._running.stop()
        stopped = (zygote.stop() for zygote in self._environments.values())
        await asyncio.gather(self._package_zygotes.stop(), self._launcher.stop(), *stopped, *self._removals)
        if self._uids is not None:
            self._uids.close()
        if self._claim is not None:
            await asyncio.to_thread(self._claim.release)
            self._claim = None
        if self._cgroups is not None:
            await asyncio.to_thread(self._cgroups.release)
            self._cgroups = None

    def _zygote(self, environment: PythonEnvironment, standby: int) -> ZygoteProcess:
        setup = ZygoteSetup(
            layers=tuple(self._layers),
            preload=environment.preload,
            packages=str(environment.packages or ""),
            max_grace_seconds=self._max_grace_seconds,
            output_wait_seconds=self._output_wait_seconds,
            lease_seconds=self._lease_seconds,
            python=bool(environment.name),
            private=self._private,
            granted=self._granted,
            users=self._users(),
            granted_user=self._granted_user,
        )
        return ZygoteProcess(environment.python, setup, self._uids, standby)

    def _users(self) -> tuple[User, ...]:
        """Return the users that jobs may have."""
        if self._uids is None:
            return (User(os.getuid(), os.getgid()),)
        own = tuple(User(uid, uid) for uid in range(FIRST_UID, LAST_UID + 1))
        return own if self._granted_user is None else (*own, self._granted_user)

    def _zygote_for(self, command: Command) -> AbstractAsyncContextManager[ZygoteProcess | None]:
        if not isinstance(command, PythonCode):
            return nullcontext(self._launcher.take())
        if isinstance(command.environment, PythonEnvironment):
            return self._package_zygotes.used(command.environment)
        return nullcontext(self._environments.get(command.environment))

    def _claim_directory(self) -> Claim:
        """Claim a directory for all runs. Raise `SandboxError` if none can be made."""
        on_host = Layer.MOUNT_NAMESPACE not in self._layers
        try:
            root = choose_run_root(self._root) if self._uids and on_host else self._root
            return Claim(root, 0o711 if self._uids else 0o700)
        except OSError as error:
            raise SandboxError(f"no directory for runs can be made: {error}") from error

    def _make_directory(self, supervisor: SupervisorClient) -> Path | None:
        """Create the run's directory, unless it gets a file system of its own."""
        if Layer.MOUNT_NAMESPACE in self._layers or self._claim is None:
            return None
        directory = create_directory(self._claim.path)
        if self._uids is not None:
            os.chown(directory, *supervisor.user)
        return directory

    async def _tidy_up(self, zygote: ZygoteProcess, supervisor: SupervisorClient, directory: Path | None) -> None:
        await zygote.dismiss(supervisor)
        if directory is not None:  # the supervisor has removed it, unless it was killed before it could
            await zygote.sweep()
            removal = asyncio.create_task(asyncio.to_thread(_remove_if_possible, directory))
            self._removals.add(removal)
            removal.add_done_callback(self._removals.discard)
            await asyncio.wait([removal], timeout=_REMOVAL_SECONDS)  # a slot is not held for a longer removal

    async def _run_from(self, zygote: ZygoteProcess, spec: Spec, on_output: OnOutput, cancel: Cancel) -> Outcome:
        user = self._granted_user if spec.access.write else None
        if user is not None and (why := why_not_shared(self._layers)):
            return Outcome(End.REJECTED, self.isolation, message=why)
        supervisor = await zygote.take_supervisor(user)
        directory = None
        try:
            directory = self._make_directory(supervisor)
            outcome = await self._run_under(supervisor, directory, spec, on_output, cancel)
        except BaseException as error:
            await asyncio.shield(self._tidy_up(zygote, supervisor, directory))
            if isinstance(error, OSError):
                raise SandboxError(f"the host failed: {error}") from error
            raise
        zygote.replace(supervisor, directory)  # it has reported, so its run is dead
        return outcome

    async def _run_under(
        self, supervisor: SupervisorClient, directory: Path | None, spec: Spec, on_output: OnOutput, cancel: Cancel
    ) -> Outcome:
        output = OutputPipe(spec.limits.output_kb, on_output)
        if self._uids is not None:
            output.give_to(supervisor.user)
        pump = asyncio.create_task(output.pump())
        try:
            await send_order(supervisor, self._with_network(spec), directory, output)
            self._ordered.add(supervisor)
            report = await wait_for_report(supervisor, pump, output, cancel, self._running.stopped)
            output.end()
            await pump
            collected = None
            if spec.collects and self._claim is not None:
                collected = await receive_collected(supervisor, report, self._claim.path)
            return build_outcome(report, spec, self._isolation_of(supervisor), collected, truncated=output.truncated)
        finally:
            self._ordered.discard(supervisor)
            pump.cancel()
            output.close()

    def _isolation_of(self, supervisor: SupervisorClient) -> Isolation:
        is_granted = supervisor.user == self._granted_user
        return isolation_with_granted_user(self.isolation) if is_granted else self.isolation

    def _with_network(self, spec: Spec) -> Spec:
        if not spec.limits.network:
            return spec
        return replace(spec, access=replace(spec.access, destinations=(*self._network, *spec.access.destinations)))


def _remove_if_possible(directory: Path) -> None:
    with suppress(OSError):  # it goes with the service's own directory
        for path in (directory, Path(directory_of(str(directory)))):
            remove_directory(path)


def _claim_cgroups() -> Claim | None:
    try:
        return claim_cgroups(find_delegated())
    except (NotDelegatedError, OSError):  # which is no fault: `scheduler doctor` says why
        return None
