"""Locks the packages of jobs.

Theory of operation. Resolving asks an index and takes seconds, so it comes before the transaction that stores the job.
In the transaction, the job that is stored must still ask for the requirements that were resolved. A lock is stored
together with the job. An edit that does not change the requirements keeps the lock: only `relock` takes new versions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.environment_lock import EnvironmentLock
from scheduler_service.domain.records import Job, JsonObject
from scheduler_service.errors import ConflictError, FieldProblem, InvalidInputError, PreconditionFailedError
from scheduler_service.payloads import registry
from scheduler_service.services.job_acceptance import JobChange

FIELD = "payload.requirements"


class Packages(Protocol):
    """Resolves requirements, and stores locks."""

    async def lock(self, requirements: tuple[str, ...]) -> EnvironmentLock:
        """Resolve requirements.

        Raise `InvalidInputError` if that is impossible, and `UnavailableError` if the index does not answer.
        """
        ...

    async def keep(self, connection: AsyncConnection, lock: EnvironmentLock) -> None:
        """Store a lock in the transaction that stores a job with it. A failed environment will be built again."""
        ...


class NoPackages:
    """Refuses all requirements."""

    async def lock(self, requirements: tuple[str, ...]) -> EnvironmentLock:
        """Raise `InvalidInputError`."""
        raise InvalidInputError(FieldProblem(FIELD, "this server installs no packages", list(requirements)))

    async def keep(self, connection: AsyncConnection, lock: EnvironmentLock) -> None:
        """Do nothing."""


def packages_of(payload: JsonObject) -> tuple[str, ...]:
    """Return the requirements of a stored payload. One whose kind is gone, or has become stricter, has none."""
    try:
        return registry.adapter().validate_python(payload).packages()
    except ValidationError:
        return ()


class JobPackages:
    """Chooses the environments of jobs that are created, edited and relocked."""

    def __init__(self, packages: Packages) -> None:
        self._packages = packages

    async def lock(self, requirements: tuple[str, ...]) -> EnvironmentLock | None:
        """Resolve requirements; None if there are none. Raise what `Packages.lock` raises."""
        return await self._packages.lock(requirements) if requirements else None

    async def lock_change(self, job: Job, change: JobChange) -> EnvironmentLock | None:
        """Resolve the requirements of an edit, unless the job has a lock for the same ones."""
        wanted = _wanted(change)
        if wanted is None or _has_lock(job, wanted):
            return None
        return await self.lock(wanted)

    async def relock(self, job: Job) -> EnvironmentLock:
        """Resolve the requirements of a job again. Raise `ConflictError` if it has none."""
        lock = await self.lock(packages_of(job.payload))
        if lock is None:
            raise ConflictError("the job has no requirements to lock; write them in payload.requirements")
        return lock

    def apply(self, job: Job, change: JobChange, lock: EnvironmentLock | None) -> JobChange:
        """Return an edit of the job as it is now, with its environment.

        Raise `PreconditionFailedError` if the requirements are not those that were resolved.
        """
        wanted = _wanted(change)
        if wanted is None or _has_lock(job, wanted):
            return change
        if wanted and (lock is None or lock.requirements != wanted):
            raise PreconditionFailedError("another request changed the job; read it again and repeat the change")
        chosen = lock.id if wanted and lock is not None else None
        return replace(change, columns={**change.columns, "environment_id": chosen})

    def apply_relock(self, job: Job, lock: EnvironmentLock) -> dict[str, str]:
        """Return the columns of a job that is locked again. Raise `PreconditionFailedError` as `apply` does."""
        if packages_of(job.payload) != lock.requirements:
            raise PreconditionFailedError("another request changed the job; lock it again")
        return {"environment_id": lock.id}

    async def keep(self, connection: AsyncConnection, job: Job, lock: EnvironmentLock | None) -> None:
        """Store the lock of a job that is stored in the same transaction."""
        if lock is not None and job.environment_id == lock.id:
            await self._packages.keep(connection, lock)


def _wanted(change: JobChange) -> tuple[str, ...] | None:
    """Return the requirements of an edit, or None if it does not touch the payload."""
    payload = change.columns.get("payload")
    return None if payload is None else packages_of(payload)


def _has_lock(job: Job, wanted: tuple[str, ...]) -> bool:
    return bool(wanted) and job.environment_id is not None and packages_of(job.payload) == wanted
