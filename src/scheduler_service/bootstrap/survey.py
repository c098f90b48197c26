"""Tests which isolation runs get on this host, with the service's directories, users, limits and interpreters."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from scheduler_service.bootstrap.data_dir import lock_run_directory
from scheduler_service.bootstrap.derived_settings import environments_of, suffices
from scheduler_service.bootstrap.worker import hold_grants, make_sandbox
from scheduler_service.config.settings import Settings
from scheduler_service.features.grants.held import HeldGrants
from scheduler_service.features.grants.trial import Part, try_grants
from scheduler_service.sandbox.choice import TRIAL_RUN, ChosenSandbox
from scheduler_service.sandbox.contract.spec import Level, SandboxError
from scheduler_service.sandbox.probe import REMEDY, Finding, best_level, probe


@dataclass(frozen=True, slots=True)
class Survey:
    """`host_level` is the highest level that this host supports.

    `run_level` is the level of runs, or None if no job can run.
    """

    findings: tuple[Finding, ...]
    host_level: Level
    run_level: Level | None
    is_enough: bool
    grants: tuple[Part, ...] = ()


def survey(settings: Settings) -> Survey:
    """Start a sandbox as a worker does, and stop it. Raise `ConfigurationError` if there is no directory for runs."""
    with _remove_new_directories(settings), lock_run_directory(settings) as directory:
        held = hold_grants(settings)
        box = make_sandbox(settings, directory, held.paths)
        run_level, fault, grants = asyncio.run(_try(box, held))
    findings = [*box.findings] or probe(environments_of(settings)[0].python)
    if fault is not None and settings.sandbox != "auto":
        levels = (Level(settings.sandbox),)
        findings.append(Finding(levels, TRIAL_RUN, held=False, why=str(fault), remedy=REMEDY))
    is_enough = run_level is not None and suffices(run_level, settings)
    return Survey(tuple(findings), best_level(findings), run_level, is_enough, tuple(grants))


async def _try(box: ChosenSandbox, held: HeldGrants) -> tuple[Level | None, SandboxError | None, list[Part]]:
    try:
        await box.start()
    except SandboxError as error:
        return None, error, []
    level = box.level
    try:
        return level, None, await try_grants(box, held)
    finally:
        await box.stop()


@contextmanager
def _remove_new_directories(settings: Settings) -> Iterator[None]:
    """Remove the directories that were created for the survey."""
    runs = settings.effective_run_dir
    made = [path for path in (runs / "0", runs / "0.lock", runs, settings.data_dir) if not path.exists()]
    settings.prepare_data_dir()
    try:
        yield
    finally:
        for path in made:
            _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):  # a service that starts at the same time keeps its directory
        path.rmdir() if path.is_dir() else path.unlink()
