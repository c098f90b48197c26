"""Environments: locked for jobs, and shown to people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from packaging.requirements import Requirement
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.environment_lock import EnvironmentLock, EnvironmentState
from scheduler_service.errors import FieldProblem, InvalidInputError, NotFoundError
from scheduler_service.features.environments import store
from scheduler_service.features.environments.lock_text import id_of, parse_lock
from scheduler_service.features.environments.records import Environment
from scheduler_service.features.environments.rules import PackageRules
from scheduler_service.services.job_packages import FIELD
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database


class Resolves(Protocol):
    """Resolves requirements; see `Resolver`."""

    async def resolve(self, requirements: Sequence[str]) -> str:
        """Return the lock of requirements."""
        ...


class EnvironmentService:
    """Locks the packages of jobs, and shows environments. A caller bound to an owner sees those of that owner's jobs.

    It is the `Packages` of `JobService`.
    """

    def __init__(self, database: Database, clock: Clock, resolver: Resolves, rules: PackageRules) -> None:
        self._database = database
        self._clock = clock
        self._resolver = resolver
        self._rules = rules

    async def lock(self, requirements: tuple[str, ...]) -> EnvironmentLock:
        """Resolve requirements.

        Raise `InvalidInputError` if the operator forbids one or they have no solution, and `UnavailableError` if the
        index does not answer.
        """
        self._check(requirements, [Requirement(each).name for each in requirements])
        text = await self._resolver.resolve(requirements)
        self._check(requirements, [package.name for package in parse_lock(text)[1]])
        return EnvironmentLock(id_of(text), text, requirements)

    async def keep(self, connection: AsyncConnection, lock: EnvironmentLock) -> None:
        """Store a lock in the transaction that stores a job with it."""
        await store.keep(connection, lock, self._clock.now())

    async def list_all(self, caller: Caller) -> list[Environment]:
        """Return the environments, newest first, without their logs, of which each can have 64 KiB."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            return await store.list_all(connection, caller.bound)

    async def get(self, caller: Caller, environment_id: str) -> Environment:
        """Return one environment. Raise `NotFoundError` if there is none that the caller may see."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            found = await store.find(connection, environment_id, caller.bound)
        if found is None:
            raise NotFoundError(f"there is no environment {environment_id}")
        return found

    async def states(self, ids: Iterable[str | None]) -> dict[str, EnvironmentState]:
        """Return the states of the environments of jobs."""
        wanted = [each for each in ids if each is not None]
        if not wanted:
            return {}
        async with self._database.read() as connection:
            return await store.states(connection, wanted)

    def _check(self, requirements: tuple[str, ...], names: Iterable[str]) -> None:
        if why := self._rules.why_refused(names):
            raise InvalidInputError(FieldProblem(FIELD, why, list(requirements)))
