"""The rules by which people are told, as SQL sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import String, and_, cast, delete, func, insert, literal, not_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.alerting import AlertKind, Thresholds, key_prefix
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.alert_tables import alert_rules, deliveries, failing_jobs
from scheduler_service.storage.dialect import insert_or_ignore
from scheduler_service.storage.tables import jobs, runs, with_status

OVERDUE_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """Whom to tell of what. `job_id` None: of every job; `owner_id` None: of every owner's."""

    id: int
    name: str
    job_id: int | None
    owner_id: str | None
    kinds: list[str]
    late_seconds: float
    too_long_seconds: float
    failures: int
    window_seconds: float
    channel: Mapping[str, Any]
    enabled: bool
    created_at: datetime
    updated_at: datetime

    @property
    def wanted(self) -> frozenset[AlertKind]:
        """What it is for."""
        return frozenset(map(AlertKind, self.kinds))

    @property
    def thresholds(self) -> Thresholds:
        """How much is too much."""
        return Thresholds(self.late_seconds, self.too_long_seconds, self.failures, self.window_seconds)

    def covers(self, job_id: int, owner_id: str | None) -> bool:
        """Return whether it is for a job."""
        return self.job_id in {None, job_id} and self.owner_id in {None, owner_id}


@dataclass(frozen=True, slots=True)
class Overdue:
    """A run that has been in its state for too long."""

    run_id: int
    job_id: int
    job_name: str
    owner_id: str
    since: datetime


async def add(connection: AsyncConnection, values: Mapping[str, Any]) -> AlertRule:
    """Store a rule."""
    row = (await connection.execute(insert(alert_rules).values(**values).returning(alert_rules))).mappings().one()
    return AlertRule(**row)


async def find(connection: AsyncConnection, rule_id: int, owner_id: str | None) -> AlertRule | None:
    """Return a rule; `owner_id` None: anybody who it belongs to."""
    condition = and_(alert_rules.c.id == rule_id, _of(owner_id))
    row = (await connection.execute(select(alert_rules).where(condition))).mappings().one_or_none()
    return None if row is None else AlertRule(**row)


async def every(connection: AsyncConnection, owner_id: str | None = None) -> list[AlertRule]:
    """Return all rules, or those of an owner."""
    query = select(alert_rules).where(_of(owner_id)).order_by(alert_rules.c.id)
    return [AlertRule(**row) for row in (await connection.execute(query)).mappings()]


async def replace(connection: AsyncConnection, rule_id: int, values: Mapping[str, Any]) -> None:
    """Return a rule new columns."""
    await connection.execute(update(alert_rules).where(alert_rules.c.id == rule_id).values(**values))


async def remove(connection: AsyncConnection, rule_id: int) -> None:
    """Remove a rule with all that it told, and with what it still would have."""
    await connection.execute(delete(alert_rules).where(alert_rules.c.id == rule_id))


async def note_failing(connection: AsyncConnection, job_id: int, at: datetime) -> None:
    """Note that the latest run of a job failed; a job that is gone is passed over."""
    if (await connection.execute(select(jobs.c.id).where(jobs.c.id == job_id))).one_or_none() is not None:
        await connection.execute(insert_or_ignore(connection, failing_jobs).values(job_id=job_id, since=at))


async def note_well(connection: AsyncConnection, job_id: int) -> bool:
    """Note that the latest run of a job succeeded; returns whether the one before had failed."""
    return (await connection.execute(delete(failing_jobs).where(failing_jobs.c.job_id == job_id))).rowcount == 1


async def forget_failing(connection: AsyncConnection) -> None:
    """Forget which jobs failed last: nobody watches, so nobody would see them recover."""
    await connection.execute(delete(failing_jobs))


async def count_failures(connection: AsyncConnection, job_id: int, since: datetime, until: datetime) -> int:
    """Count the runs of a job that failed within a time, both ends included."""
    condition = and_(runs.c.job_id == job_id, with_status(RunStatus.FAILED), runs.c.finished_at.between(since, until))
    return int((await connection.execute(select(func.count()).select_from(runs).where(condition))).scalar_one())


async def running_since(connection: AsyncConnection, rule: AlertRule, before: datetime) -> list[Overdue]:
    """Return runs that a rule covers, that began before an instant and still run, and that it has not told of."""
    return await _overdue(connection, rule, AlertKind.TOO_LONG, RunStatus.RUNNING, "started_at", before)


async def due_since(connection: AsyncConnection, rule: AlertRule, before: datetime) -> list[Overdue]:
    """Return runs that a rule covers, that could have begun before an instant and still wait, likewise."""
    return await _overdue(connection, rule, AlertKind.LATE, RunStatus.QUEUED, "available_at", before)


async def _overdue(
    connection: AsyncConnection, rule: AlertRule, kind: AlertKind, status: RunStatus, column: str, before: datetime
) -> list[Overdue]:
    since = runs.c[column]
    # Those that were told of would come first for as long as they last, and leave no room for others.
    key = literal(key_prefix(kind)).concat(cast(runs.c.id, String))
    told = select(deliveries.c.id).where(deliveries.c.rule_id == rule.id, deliveries.c.key == key).exists()
    query = (
        select(runs.c.id, runs.c.job_id, jobs.c.name, jobs.c.owner_id, since)
        .join_from(runs, jobs, jobs.c.id == runs.c.job_id)
        .where(with_status(status), since < before, not_(told))
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
