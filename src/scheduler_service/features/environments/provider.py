"""Provides environments to the runs of a worker: built if they are missing, once for all that wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field

import structlog

from scheduler_service.domain.environment_lock import EnvironmentFailedError, EnvironmentState, StoppedWaitingError
from scheduler_service.domain.records import Job
from scheduler_service.features.environments import store
from scheduler_service.features.environments.builder import EnvironmentBuilder, Say
from scheduler_service.features.environments.cache import BuiltEnvironment
from scheduler_service.features.environments.lock_text import LockedPackage, id_of, own_python, parse_lock
from scheduler_service.features.environments.preload import trusted_preload
from scheduler_service.features.environments.rules import PackageRules
from scheduler_service.sandbox.contract.environment import PythonEnvironment
from scheduler_service.sandbox.contract.spec import Cancel
from scheduler_service.sandbox.waiting import first_of
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

LOOK_SECONDS = 10.0
"""A run that needs an environment builds it at once; this finds those of jobs that have not run yet."""
FAILED_SECONDS = 60.0
"""A build that failed is not repeated for so long; runs that need it fail with its log."""
_MAX_LOG_CHARACTERS = 64 * 1024

WhileWaiting = Callable[[], AbstractContextManager[None]]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Build:
    """A build in progress: what it has written, and who listens."""

    words: bytearray = field(default_factory=bytearray)
    listeners: list[Say] = field(default_factory=list)

    async def say(self, data: bytes) -> None:
        self.words += data
        for listener in list(self.listeners):
            try:
                await listener(data)
            except Exception:  # noqa: BLE001 (a run that has lost its lease; the build goes on for others)
                self.listeners.remove(listener)

    @property
    def log(self) -> str:
        return self.words.decode(errors="replace")[-_MAX_LOG_CHARACTERS:]


class EnvironmentProvider:
    """Opens the environments of jobs on this host."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        builder: Callable[[], EnvironmentBuilder],
        rules: PackageRules,
        while_waiting: WhileWaiting = nullcontext,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Build with `builder()`, whose sandbox is started, what `rules` allow here.

        A run that waits for a build does so in the block of `while_waiting`.
        """
        self._database = database
        self._clock = clock
        self._builder = builder
        self._rules = rules
        self._while_waiting = while_waiting
        self._monotonic = monotonic
        self._builds: dict[str, tuple[_Build, asyncio.Task[BuiltEnvironment]]] = {}
        self._failed: dict[str, tuple[float, EnvironmentFailedError]] = {}

    @asynccontextmanager
    async def opened(self, job: Job, say: Say, cancel: Cancel) -> AsyncIterator[PythonEnvironment | None]:
        """Yield the environment of a job, or None if it has none. It stays on the host as long as the block runs.

        Raise `EnvironmentFailedError` if it cannot be built, after its log was passed to `say`, and
        `StoppedWaitingError` if `cancel` came first.
        """
        if job.environment_id is None:
            yield None
            return
        cache = self._builder().cache
        with cache.used(job.environment_id):
            built = await asyncio.to_thread(cache.find, job.environment_id)
            if built is None:
                built = await self._wait(job.environment_id, say, cancel)
            yield PythonEnvironment(built.directory.name, built.python, trusted_preload(built.files), built.packages)

    async def look(self) -> float:
        """Build an environment that a new job needs, before its first run. Return the seconds until the next look."""
        async with self._database.read() as connection:
            wanted = await store.list_unbuilt(connection)
        for environment_id in wanted:
            if self._failure(environment_id) is None:
                with suppress(EnvironmentFailedError):
                    await asyncio.shield(self._join(environment_id)[1])
                break
        return LOOK_SECONDS

    async def stop(self) -> None:
        """End the builds in progress."""
        tasks = [task for _, task in self._builds.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self, environment_id: str, say: Say, cancel: Cancel) -> BuiltEnvironment:
        if (failure := self._failure(environment_id)) is not None:
            await say(failure.log.encode())
            raise failure
        build, task = self._join(environment_id)
        if build.words:
            await say(bytes(build.words))
        build.listeners.append(say)
        with self._while_waiting():
            first = await first_of(task, cancel.wait())
        if first != 0:
            with suppress(ValueError):
                build.listeners.remove(say)
            raise StoppedWaitingError
        return task.result()

    def _failure(self, environment_id: str) -> EnvironmentFailedError | None:
        failed_at, failure = self._failed.get(environment_id, (0.0, None))
        return failure if failure is not None and self._monotonic() - failed_at < FAILED_SECONDS else None

    def _join(self, environment_id: str) -> tuple[_Build, asyncio.Task[BuiltEnvironment]]:
        """Return the build of an environment, started if there is none."""
        if environment_id not in self._builds:
            build = _Build()
            task = asyncio.create_task(self._build(environment_id, build))
            self._builds[environment_id] = build, task
            task.add_done_callback(lambda task: self._end(environment_id, task))
        return self._builds[environment_id]

    def _end(self, environment_id: str, task: asyncio.Task[BuiltEnvironment]) -> None:
        del self._builds[environment_id]
        if not task.cancelled():
            task.exception()  # those who wait see it

    async def _build(self, environment_id: str, build: _Build) -> BuiltEnvironment:
        began = self._monotonic()
        try:
            built = await self._build_if_missing(environment_id, build)
        except EnvironmentFailedError as error:
            await build.say(f"{error}\n".encode())
            failure = EnvironmentFailedError(str(error), build.log)
            self._failed = {each: failed for each, failed in self._failed.items() if self._failure(each)}
            self._failed[environment_id] = self._monotonic(), failure
            log.warning("environment_failed", environment=environment_id, error=str(error))
            await self._note(environment_id, {"state": EnvironmentState.FAILED, "log": build.log})
            raise failure from None
        self._failed.pop(environment_id, None)
        seconds = round(self._monotonic() - began, 3)
        await build.say(f"Ready after {seconds:.1f} s\n".encode())
        log.info("environment_installed", environment=environment_id, seconds=seconds, size_bytes=built.size_bytes)
        about = {"state": EnvironmentState.READY, "log": build.log, "size_bytes": built.size_bytes}
        await self._note(environment_id, {**about, "build_seconds": seconds})
        return built

    async def _build_if_missing(self, environment_id: str, build: _Build) -> BuiltEnvironment:
        packages = await self._packages_of(environment_id)
        builder = self._builder()
        await build.say(f"Building the environment {environment_id} with {len(packages)} packages\n".encode())
        entered = builder.cache.only_builder()
        await asyncio.to_thread(entered.__enter__)
        try:
            built = await asyncio.to_thread(builder.cache.find, environment_id)
            if built is None:
                built = await builder.build(environment_id, packages, build.say)
                for removed in await asyncio.to_thread(builder.cache.make_room, environment_id):
                    log.info("environment_removed", environment=removed)
            return built
        finally:
            entered.__exit__(None, None, None)

    async def _packages_of(self, environment_id: str) -> tuple[LockedPackage, ...]:
        """Return the packages of a stored lock. Raise `EnvironmentFailedError` if it may not be installed here."""
        async with self._database.read() as connection:
            stored = await store.find(connection, environment_id)
        if stored is None or id_of(stored.lock) != environment_id:
            raise EnvironmentFailedError("the stored lock is not the one that the job was stored with; relock the job")
        try:
            python, packages = parse_lock(stored.lock)
        except ValueError as error:
            raise EnvironmentFailedError(f"the stored lock is refused: {error}") from None
        if python != own_python():
            raise EnvironmentFailedError(
                f"the lock is for {python}, and this worker has {own_python()}; "
                "run workers and API with the same Python, and relock the job"
            )
        if why := self._rules.why_refused(package.name for package in packages):
            raise EnvironmentFailedError(why)
        return packages

    async def _note(self, environment_id: str, values: dict[str, object]) -> None:
        now = self._clock.now()
        async with self._database.write() as connection:
            await store.note(connection, environment_id, {**values, "built_at": now, "used_at": now})
