"""Alert rules, failing jobs and overdue runs in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import String, and_, cast, delete, func, insert, literal, not_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.run_state import RunStatus
from scheduler_service.features.alerts.records import AlertRule, Overdue
from scheduler_service.features.alerts.rules import AlertKind, key_prefix
from scheduler_service.features.alerts.tables import alert_rules, deliveries, failing_jobs
from scheduler_service.storage.dialect import insert_or_ignore
from scheduler_service.storage.tables import jobs, runs, with_status

OVERDUE_BATCH = 100


async def add(connection: AsyncConnection, values: Mapping[str, Any]) -> AlertRule:
    """Store a rule."""
    row = (await connection.execute(insert(alert_rules).values(**values).returning(alert_rules))).mappings().one()
    return AlertRule(**row)


async def find(connection: AsyncConnection, rule_id: int, owner_id: str | None) -> AlertRule | None:
    """Return a rule, or None if there is none; `owner_id` None: of any owner."""
    condition = and_(alert_rules.c.id == rule_id, _of(owner_id))
    row = (await connection.execute(select(alert_rules).where(condition))).mappings().one_or_none()
    return None if row is None else AlertRule(**row)


async def list_rules(connection: AsyncConnection, owner_id: str | None = None) -> list[AlertRule]:
    """Return the rules of an owner, or all if `owner_id` is None, the oldest first."""
    query = select(alert_rules).where(_of(owner_id)).order_by(alert_rules.c.id)
    return [AlertRule(**row) for row in (await connection.execute(query)).mappings()]


async def replace(connection: AsyncConnection, rule_id: int, values: Mapping[str, Any]) -> None:
    """Update columns of a rule."""
    await connection.execute(update(alert_rules).where(alert_rules.c.id == rule_id).values(**values))


async def delete_rule(connection: AsyncConnection, rule_id: int) -> None:
    """Delete a rule and its deliveries, the pending ones included."""
    await connection.execute(delete(alert_rules).where(alert_rules.c.id == rule_id))


async def note_failure(connection: AsyncConnection, job_id: int, at: datetime) -> None:
    """Store that the latest run of a job failed. Nothing happens if the job was deleted."""
    if (await connection.execute(select(jobs.c.id).where(jobs.c.id == job_id))).one_or_none() is not None:
        await connection.execute(insert_or_ignore(connection, failing_jobs).values(job_id=job_id, since=at))


async def note_success(connection: AsyncConnection, job_id: int) -> bool:
    """Store that the latest run of a job succeeded. Return whether the run before it failed."""
    return (await connection.execute(delete(failing_jobs).where(failing_jobs.c.job_id == job_id))).rowcount == 1


async def clear_failing(connection: AsyncConnection) -> None:
    """Delete which jobs failed last. Without an enabled rule nobody reads events, so recoveries would be missed."""
    await connection.execute(delete(failing_jobs))


async def count_failures(connection: AsyncConnection, job_id: int, since: datetime, until: datetime) -> int:
    """Count the failed runs of a job that ended between two instants, both included."""
    condition = and_(runs.c.job_id == job_id, with_status(RunStatus.FAILED), runs.c.finished_at.between(since, until))
    return int((await connection.execute(select(func.count()).select_from(runs).where(condition))).scalar_one())


async def list_too_long(connection: AsyncConnection, rule: AlertRule, before: datetime) -> list[Overdue]:
    """Return running runs that started before an instant, are covered by the rule and have no alert of it yet."""
    return await _overdue(connection, rule, AlertKind.TOO_LONG, RunStatus.RUNNING, "started_at", before)


async def list_late(connection: AsyncConnection, rule: AlertRule, before: datetime) -> list[Overdue]:
    """Return queued runs that were available before an instant, are covered by the rule and have no alert of it yet."""
    return await _overdue(connection, rule, AlertKind.LATE, RunStatus.QUEUED, "available_at", before)


async def _overdue(
    connection: AsyncConnection, rule: AlertRule, kind: AlertKind, status: RunStatus, column: str, before: datetime
) -> list[Overdue]:
    since = runs.c[column]
    # Without this condition, runs that have their alert would come first and fill the batch.
    key = literal(key_prefix(kind)).concat(cast(runs.c.id, String))
    has_alert = select(deliveries.c.id).where(deliveries.c.rule_id == rule.id, deliveries.c.key == key).exists()
    query = (
        select(runs.c.id, runs.c.job_id, jobs.c.name, jobs.c.owner_id, since)
        .join_from(runs, jobs, jobs.c.id == runs.c.job_id)
        .where(with_status(status), since < before, not_(has_alert))
        .order_by(since)
        .limit(OVERDUE_BATCH)
    )
    if rule.job_id is not None:
        query = query.where(runs.c.job_id == rule.job_id)
    if rule.owner_id is not None:
        query = query.where(jobs.c.owner_id == rule.owner_id)
    return [Overdue(*row) for row in await connection.execute(query)]


def _of(owner_id: str | None) -> Any:
    return true() if owner_id is None else alert_rules.c.owner_id == owner_id
