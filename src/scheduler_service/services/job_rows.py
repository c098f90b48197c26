"""Steps of transactions that read and change one job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Job
from scheduler_service.errors import NotFoundError, PreconditionFailedError
from scheduler_service.storage import jobs

Versions = frozenset[int] | None
"""The versions in a client's `If-Match`, of which one must be current. None means that any version is accepted."""


def check_version(job: Job, if_match: Versions) -> None:
    """Raise `PreconditionFailedError` if a client expects another version of the job."""
    if if_match is not None and job.version not in if_match:
        raise PreconditionFailedError(f"the job is at version {job.version}; read it again and repeat the change")


async def existing(connection: AsyncConnection, caller: Caller, job_id: int, *, lock: bool = False) -> Job:
    """Return a job that the caller may reach. Raise `NotFoundError` if there is none."""
    job = await jobs.find(connection, job_id, owner_id=caller.bound, lock=lock)
    if job is None:
        raise NotFoundError(f"there is no job {job_id}")
    return job


async def check_history(connection: AsyncConnection, caller: Caller, job_id: int) -> None:
    """Raise `NotFoundError` if the caller may reach no job with this id, and no history of a deleted one."""
    if not await jobs.has_history(connection, job_id, owner_id=caller.bound):
        raise NotFoundError(f"there is no job {job_id}")


def items_of(job: Job) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of a job's fields."""
    return ((field.name, getattr(job, field.name)) for field in fields(job))
