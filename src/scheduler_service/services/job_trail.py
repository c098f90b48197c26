"""Writes operations on jobs to the audit trail, and the versions that they lead to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Job
from scheduler_service.services.audit import Target, record
from scheduler_service.services.job_mapping import document_of
from scheduler_service.services.job_versions import Author, add_version


async def record_job(
    connection: AsyncConnection,
    caller: Caller,
    operation: str,
    now: datetime,
    *,
    before: Job | None = None,
    after: Job | None = None,
) -> None:
    """Store who changed a job, its definition before and after, and its new version if it has one.

    One of the two jobs can be missing.
    """
    job = after or before
    assert job is not None  # noqa: S101 (an operation has a job)
    was, now_is = (None if each is None else document_of(each) for each in (before, after))
    target = Target(f"jobs/{job.id}", job.owner_id)
    await record(connection, caller, operation, target, now, before=was, after=now_is)
    if after is not None and (before is None or before.version != after.version):
        await add_version(connection, Author.of(caller, operation), before, after)
