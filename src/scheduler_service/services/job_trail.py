"""Writes operations on jobs to the audit trail, and the versions that they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Job
from scheduler_service.services.audit import Change, Target, record_all
from scheduler_service.services.job_mapping import document_of
from scheduler_service.services.job_versions import Author, add_versions

JobChange = tuple[Job | None, Job | None]
"""A job before and after an operation. One of them can be missing."""


async def record_jobs(
    connection: AsyncConnection, caller: Caller, operation: str, changes: Sequence[JobChange], now: datetime
) -> None:
    """Store who changed jobs, their definitions before and after, and their new versions."""
    if not changes:
        return
    await record_all(connection, caller, operation, [_change_of(*change) for change in changes], now)
    new = [(was, job) for was, job in changes if job is not None and (was is None or was.version != job.version)]
    await add_versions(connection, Author.of(caller, operation), new, now)


def _change_of(before: Job | None, after: Job | None) -> Change:
    job = after or before
    assert job is not None  # noqa: S101 (an operation has a job)
    was, now_is = (None if each is None else document_of(each) for each in (before, after))
    return Change(Target(f"jobs/{job.id}", job.owner_id), was, now_is)
