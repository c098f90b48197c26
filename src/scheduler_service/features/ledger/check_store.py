"""Stores the regular checks: how far the present one is, and what they found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.features.ledger.records import Finding, RegularCheck
from scheduler_service.features.ledger.tables import ledger_checks, ledger_findings
from scheduler_service.storage.dialect import insert_or_ignore
from scheduler_service.storage.tables import jobs

_COLUMNS = [ledger_checks.c[name] for name in RegularCheck.__dataclass_fields__]
_FINDING = [ledger_findings.c[name] for name in Finding.__dataclass_fields__]


async def newest(connection: AsyncConnection) -> RegularCheck | None:
    """Return the newest check, which may be under way, or None."""
    query = select(*_COLUMNS).order_by(ledger_checks.c.id.desc()).limit(1)
    return _check(await connection.execute(query))


async def last_ended(connection: AsyncConnection) -> RegularCheck | None:
    """Return the newest check that has ended, or None."""
    query = select(*_COLUMNS).where(ledger_checks.c.ended_at.is_not(None)).order_by(ledger_checks.c.id.desc()).limit(1)
    return _check(await connection.execute(query))


async def earliest_due(connection: AsyncConnection) -> datetime | None:
    """Return the earliest next instant of all jobs, or None. Every instant before it has been fired."""
    instant: datetime | None = (await connection.execute(select(func.min(jobs.c.next_run_at)))).scalar_one()
    return instant


async def begin(connection: AsyncConnection, check: RegularCheck) -> bool:
    """Store a check that begins. Return False if another process has begun the one with this id."""
    values = {name: getattr(check, name) for name in RegularCheck.__dataclass_fields__}
    return (await connection.execute(insert_or_ignore(connection, ledger_checks).values(**values))).rowcount == 1


async def take_over(connection: AsyncConnection, check: RegularCheck, holder: str, held_until: datetime) -> bool:
    """Become the holder of a check that was left alone. Return False if another process was faster."""
    return await _change(connection, check, holder=holder, held_until=held_until)


async def note_page(
    connection: AsyncConnection, before: RegularCheck, after: RegularCheck, findings: Sequence[Finding]
) -> bool:
    """Store the progress of a page of jobs. Return False, and store nothing, if another process took the check over."""
    names = ("ended_at", "held_until", "after_job", "jobs", "owed", "unaccounted")
    if not await _change(connection, before, **{name: getattr(after, name) for name in names}):
        return False
    # The jobs can have been deleted since they were checked.
    ids = select(jobs.c.id).where(jobs.c.id.in_([finding.job_id for finding in findings]))
    known = set((await connection.execute(ids)).scalars()) if findings else set()
    rows = [
        {"check_id": before.id, **{name: getattr(finding, name) for name in Finding.__dataclass_fields__}}
        for finding in findings
        if finding.job_id in known
    ]
    if rows:
        await connection.execute(insert(ledger_findings), rows)
    return True


async def findings_of(
    connection: AsyncConnection, check_id: int, owner_id: str | None = None, limit: int | None = None
) -> list[Finding]:
    """Return what a check found, in the order of jobs: of all jobs, or of those of an owner."""
    query = select(*_FINDING).where(ledger_findings.c.check_id == check_id).order_by(ledger_findings.c.job_id)
    if owner_id is not None:
        query = query.join(jobs, jobs.c.id == ledger_findings.c.job_id).where(jobs.c.owner_id == owner_id)
    return [Finding(*row) for row in await connection.execute(query.limit(limit))]


async def prune(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete checks that ended before an instant, except the newest. Return their number."""
    latest = select(func.max(ledger_checks.c.id)).where(ledger_checks.c.ended_at.is_not(None)).scalar_subquery()
    keys = select(ledger_checks.c.id).where(ledger_checks.c.ended_at < before, ledger_checks.c.id < latest).limit(limit)
    return (await connection.execute(delete(ledger_checks).where(ledger_checks.c.id.in_(keys)))).rowcount


async def _change(connection: AsyncConnection, before: RegularCheck, **values: object) -> bool:
    """Change a check if it still is as it was read: the guard of several processes."""
    guarded = (
        update(ledger_checks)
        .where(
            ledger_checks.c.id == before.id,
            ledger_checks.c.ended_at.is_(None),
            ledger_checks.c.holder == before.holder,
            ledger_checks.c.after_job == before.after_job,
            ledger_checks.c.held_until == before.held_until,
        )
        .values(**values)
    )
    return (await connection.execute(guarded)).rowcount == 1


def _check(found: CursorResult[Any]) -> RegularCheck | None:
    row = found.mappings().one_or_none()
    return None if row is None else RegularCheck(**row)
