"""Writes operations on jobs to the audit trail."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Job
from scheduler_service.services.audit import Target, record
from scheduler_service.services.job_mapping import document_of


async def record_job(
    connection: AsyncConnection,
    caller: Caller,
    operation: str,
    now: datetime,
    *,
    before: Job | None = None,
    after: Job | None = None,
) -> None:
    """Store who changed a job, and its definition before and after. One of the two jobs can be missing."""
    job = after or before
    assert job is not None  # noqa: S101 (an operation has a job)
    was, now_is = (None if each is None else document_of(each) for each in (before, after))
    target = Target(f"jobs/{job.id}", job.owner_id)
    await record(connection, caller, operation, target, now, before=was, after=now_is)
