"""The choice of the sandbox: the level that the operator asks for, or the best that this host can hold.

A level is chosen if its promises hold (see `probe`) and its trial runs succeed. `none` must be asked for. If no level
is left, `start` raises, and every later `try_run` tries again, because the host may have been repaired meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scheduler_service.sandbox.contract.access import Destination
from scheduler_service.sandbox.contract.environment import (
    DEFAULT_ENVIRONMENT,
    DEFAULT_WARMTH,
    PythonEnvironment,
    Warmth,
)
from scheduler_service.sandbox.contract.network_policy import WEB
from scheduler_service.sandbox.contract.spec import (
    MAX_GRACE_SECONDS,
    Cancel,
    Isolation,
    Level,
    OnOutput,
    Outcome,
    Sandbox,
    SandboxError,
    Spec,
)
from scheduler_service.sandbox.kernel.identity import User
from scheduler_service.sandbox.probe import REMEDY, Finding, best_level, probe
from scheduler_service.sandbox.subprocess_sandbox import SubprocessSandbox
from scheduler_service.sandbox.zygote_sandbox import ZygoteSandbox

Choice = Literal["auto", "strict", "standard", "none"]
TRIAL_RUN = "runs a script and Python code from end to end"


@dataclass(frozen=True, slots=True)
class SandboxFactory:
    """Makes sandboxes of any level with the same settings; `ZygoteSandbox` explains each."""

    root: Path
    slots: int
    environments: Sequence[PythonEnvironment] = (DEFAULT_ENVIRONMENT,)
    max_grace_seconds: float = MAX_GRACE_SECONDS
    network: Sequence[Destination] = WEB
    lease_seconds: float | None = None
    private: Sequence[str] = ()
    granted: Sequence[str] = ()
    granted_user: User | None = None
    warmth: Warmth = DEFAULT_WARMTH

    def make(self, level: Level) -> Sandbox:
        """Build a sandbox, which is not started yet."""
        if level is Level.NONE:
            return SubprocessSandbox(self.root, self.max_grace_seconds, self.environments)
        return ZygoteSandbox(
            level,
            self.root,
            self.slots,
            self.environments,
            self.max_grace_seconds,
            self.network,
            lease_seconds=self.lease_seconds,
            private=self.private,
            granted=self.granted,
            granted_user=self.granted_user,
            warmth=self.warmth,
        )


class ChosenSandbox:
    """Runs commands at the best level that this host holds. Chooses at the start, and again after a fault."""

    def __init__(self, levels: Sequence[Level], factory: SandboxFactory) -> None:
        """`levels` are the candidates, the strictest first. A single one is not probed, only tried."""
        self._levels = tuple(levels)
        self._factory = factory
        self._inner: Sandbox | None = None
        self._runs = 0
        self._choosing = asyncio.Lock()
        self.findings: list[Finding] = []
        self._has_served = False
        self.refusal: str | None = None
        """Why no job can run, with the remedy, if no level has ever held and only a change of the host helps."""

    @property
    def level(self) -> Level | None:
        """The level of every run; None while there is no sandbox."""
        return None if self._inner is None else self._inner.isolation.level

    @property
    def isolation(self) -> Isolation:
        """The level and the layers of every run. Raises `SandboxError` while there is no sandbox."""
        return self._ready().isolation

    async def start(self) -> None:
        """Choose a level and start its sandbox. Raise `SandboxError`, with the remedies, if no level is left."""
        async with self._choosing:
            if self._inner is None:
                try:
                    self._inner = await self._choose()
                except SandboxError as error:
                    self.refusal = None if error.is_passing or self._has_served else str(error)
                    raise
                self.refusal, self._has_served = None, True

    async def run(self, spec: Spec, on_output: OnOutput, cancel: Cancel) -> Outcome:
        """Run one command to its end; see `Sandbox.run`."""
        self._runs += 1
        try:
            return await self._ready().run(spec, on_output, cancel)
        finally:
            self._runs -= 1

    async def try_run(self, *, every: bool = False) -> None:
        """Make trial runs; see `Sandbox.try_run`.

        If one fails and nothing else runs, the sandbox is replaced: its directories, processes or cgroups may be gone.
        """
        if self._inner is not None:
            try:
                await self._inner.try_run(every=every)
            except SandboxError:
                if self._runs:
                    raise
            else:
                return
        await self.stop()
        await self.start()

    def renew(self) -> None:
        """Extend the lease of everything that runs; see `Sandbox.renew`."""
        if self._inner is not None:
            self._inner.renew()

    async def stop(self) -> None:
        """Kill what still runs and release everything; idempotent."""
        async with self._choosing:
            if self._inner is not None:
                inner, self._inner = self._inner, None
                await inner.stop()

    def _ready(self) -> Sandbox:
        if self._inner is None:
            raise SandboxError("no sandbox is there: no level of containment holds on this host just now")
        return self._inner

    async def _choose(self) -> Sandbox:
        if len(self._levels) == 1:
            self.findings = []
            return await self._open(self._levels[0])
        failed: SandboxError | None = None
        self.findings = await asyncio.to_thread(probe, self._factory.environments[0].python)
        while (level := best_level(self.findings)) in self._levels:
            try:
                box = await self._open(level)
            except SandboxError as error:
                failed = error
                self.findings.append(Finding((level,), TRIAL_RUN, held=False, why=str(error), remedy=REMEDY))
            else:
                self.findings.append(Finding((level,), TRIAL_RUN, held=True))
                return box
        raise SandboxError(_sum_up(self._levels, self.findings)) from failed

    async def _open(self, level: Level) -> Sandbox:
        box = self._factory.make(level)
        try:
            await box.start()
            await box.try_run(every=True)
        except BaseException:
            await asyncio.shield(box.stop())
            raise
        return box


def create(  # noqa: PLR0913 (all but three have defaults)
    choice: Choice,
    root: Path,
    slots: int,
    environments: Sequence[PythonEnvironment] = (DEFAULT_ENVIRONMENT,),
    max_grace_seconds: float = MAX_GRACE_SECONDS,
    network: Sequence[Destination] = WEB,
    lease_seconds: float | None = None,
    *,
    least: Level = Level.STANDARD,
    private: Sequence[str] = (),
    granted: Sequence[str] = (),
    granted_user: User | None = None,
    warmth: Warmth = DEFAULT_WARMTH,
) -> ChosenSandbox:
    """Build the sandbox for `slots` commands at once, with its working directories below `root`. It is not started.

    `auto` chooses no level below `least`, and never `none`. With `lease_seconds`, commands are killed if `renew` is not
    called that often. No job may read the paths in `private`, and orders may open paths that are `granted`;
    those that may write some run as `granted_user`, if the service is root. `warmth` is how interpreters with
    packages are kept.
    """
    factory = SandboxFactory(
        root, slots, environments, max_grace_seconds, network, lease_seconds, private, granted, granted_user, warmth
    )
    if choice == "auto":
        return ChosenSandbox((Level.STRICT,) if least is Level.STRICT else (Level.STRICT, Level.STANDARD), factory)
    return ChosenSandbox((Level(choice),), factory)


def _sum_up(levels: Sequence[Level], findings: Sequence[Finding]) -> str:
    """Return which promise of the lowest level does not hold, and what to do about it."""
    lowest = levels[-1]
    broken = next(finding for finding in findings if not finding.held and lowest in finding.levels)
    return (
        f"no job runs, for this host cannot hold the level {lowest}: {broken.remedy} "
        f"(not held: {broken.promise}: {broken.why}); `scheduler doctor` tells more"
    )
