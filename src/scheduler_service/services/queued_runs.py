"""What every run that does not come from a schedule has in common: its row, its room, and its notice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.brokers.base import Broker
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import Reason, Trigger
from scheduler_service.storage import cancellations, runs
from scheduler_service.storage.database import Database
from scheduler_service.telemetry import logging_config, tracing


def queued_row(job: Job, trigger: Trigger, now: datetime, *, correlation_id: str | None = None) -> dict[str, Any]:
    """Return the row of a run that is queued now, at the present version of its job.

    `correlation_id` is by default that of the request.
    """
    correlation_id = correlation_id or logging_config.current_correlation_id()
    row = runs.queued_row(
        job_id=job.id,
        owner_id=job.owner_id,
        trigger=trigger,
        scheduled_for=now,
        priority=job.priority,
        correlation_id=correlation_id,
        now=now,
        job_version=job.version,
    )
    return {**row, "trace_parent": tracing.context_for_run(job.id, correlation_id)}


async def make_room(connection: AsyncConnection, job: Job, now: datetime) -> Run | None:
    """Do to the active runs of a busy job what its overlap policy says. The caller has locked the job.

    Return the run because of which no other may be queued, if the policy is `skip`, or None.
    """
    if job.overlap_policy not in {"skip", "cancel_running"}:
        return None
    active = await runs.active_of(connection, job.id)
    if len(active) < job.max_concurrency:
        return None
    if job.overlap_policy == "skip":
        return active[0]
    await cancellations.cancel_all(connection, [job.id], Reason.OVERLAP, now)
    return None


async def notify_workers(database: Database, broker: Broker, run: Run) -> None:
    """Notify workers of a queued run, after the commit."""
    async with database.read() as connection:
        notices = await runs.notices(connection, [run])
    await broker.send(notices)
