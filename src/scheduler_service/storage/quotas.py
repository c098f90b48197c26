"""Reads the quotas of owners, and counts what they use.

Theory of operation. Runs are counted in one row for each owner that has a quota of them. The row is locked until the
commit, so transactions that queue runs of one owner wait for each other. It is locked after jobs and never before them.
Owners without that quota have no row, and nothing is written for them. Other quotas are checked under a lock of the
owner.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, func, literal, literal_column, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.quotas import Quotas, minute_of
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.dialect import is_sqlite
from scheduler_service.storage.quota_tables import owner_minutes, owner_quotas
from scheduler_service.storage.tables import jobs, runs, with_status
from scheduler_service.storage.types import UtcInstant

# Built once, as in `transitions`.
_of_owner = select(owner_quotas).where(owner_quotas.c.owner_id == bindparam("of_owner"))
_jobs_of_owner = select(func.count().label("count")).where(
    jobs.c.owner_id == bindparam("of_owner"), jobs.c.deleted_at.is_(None)
)


async def find(connection: AsyncConnection, owner_id: str, defaults: Quotas) -> Quotas:
    """Return the quotas of an owner."""
    return (await find_all(connection, [owner_id], defaults))[owner_id]


async def find_all(connection: AsyncConnection, owners: Collection[str], defaults: Quotas) -> dict[str, Quotas]:
    """Return the quotas of owners by their ids."""
    if len(owners) == 1:
        stored = await connection.execute(_of_owner, {"of_owner": next(iter(owners))})
    else:
        stored = await connection.execute(select(owner_quotas).where(owner_quotas.c.owner_id.in_(sorted(owners))))
    given = {row["owner_id"]: dict(row) for row in stored.mappings()}
    return {owner_id: defaults.with_own(given.get(owner_id, {})) for owner_id in owners}


async def lock(connection: AsyncConnection, owner_id: str) -> None:
    """Make other transactions that check quotas of an owner wait until the commit. SQLite has a single writer."""
    if not is_sqlite(connection):
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('quotas'), hashtext(:owner))"), {"owner": owner_id}
        )


async def count_jobs(connection: AsyncConnection, owner_id: str) -> int:
    """Return the number of jobs of an owner."""
    count: int = (await connection.execute(_jobs_of_owner, {"of_owner": owner_id})).scalar_one()
    return count


async def count_environments(connection: AsyncConnection, owner_id: str) -> int:
    """Return the number of different environments that jobs of an owner use."""
    used = (jobs.c.owner_id == owner_id, jobs.c.environment_id.is_not(None), jobs.c.deleted_at.is_(None))
    return (await connection.execute(select(func.count(jobs.c.environment_id.distinct())).where(*used))).scalar_one()


async def count_running(connection: AsyncConnection, owner_id: str) -> int:
    """Return the number of running runs of an owner."""
    query = select(func.count()).where(with_status(RunStatus.RUNNING), runs.c.owner_id == owner_id)
    return (await connection.execute(query)).scalar_one()


async def count_in_minute(connection: AsyncConnection, owner_id: str, now: datetime) -> int:
    """Return how many runs of an owner with a quota of them were queued in this minute."""
    query = select(owner_minutes.c.runs).where(
        owner_minutes.c.owner_id == owner_id, owner_minutes.c.minute_at == minute_of(now)
    )
    return (await connection.execute(query)).scalar_one_or_none() or 0


async def open_minute(connection: AsyncConnection, owner_id: str, now: datetime) -> int:
    """Lock the count of an owner's runs in this minute, and return it."""
    dialect = sqlite if is_sqlite(connection) else postgresql
    minute = literal(minute_of(now), UtcInstant())
    insert: Any = dialect.insert(owner_minutes).values(owner_id=owner_id, minute_at=minute, runs=0)
    is_same = owner_minutes.c.minute_at == insert.excluded.minute_at
    kept = case((is_same, owner_minutes.c.runs), else_=literal_column("0"))
    opened = insert.on_conflict_do_update(index_elements=["owner_id"], set_={"minute_at": minute, "runs": kept})
    count: int = (await connection.execute(opened.returning(owner_minutes.c.runs))).scalar_one()
    return count


async def add_runs(connection: AsyncConnection, owner_id: str, count: int) -> None:
    """Count further runs in the minute that this transaction opened."""
    counted = update(owner_minutes).where(owner_minutes.c.owner_id == owner_id)
    await connection.execute(counted.values(runs=owner_minutes.c.runs + count))
