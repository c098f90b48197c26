"""Test runs: runs of definitions that are not stored as jobs.

Theory of operation. A test run has its own job, which is deleted from its birth. So no list, schedule or name finds the
job, and workers execute the run like any other. The triggers that write events leave test runs out; totals, alerts
and event streams therefore do not know them. Lists and statistics leave them out by `is_no_test`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.run_state import ACTIVE, Trigger
from scheduler_service.storage.dialect import is_sqlite
from scheduler_service.storage.tables import jobs, runs, with_status

_tests = runs.alias("tests")
# Both conditions, because SQLite uses a partial index only if the query contains its condition literally.
_IS_TEST: ColumnElement[bool] = literal_column("tests.\"trigger\" = 'test' AND tests.\"trigger\" <> 'schedule'")


def is_no_test() -> ColumnElement[bool]:
    """Return the condition that a run is no test run. It reads only ids, so that counts can still use any index."""
    return runs.c.id.not_in(select(_tests.c.id).where(_IS_TEST))


async def count_active(connection: AsyncConnection, owner_id: str) -> int:
    """Return the number of test runs of an owner that have not ended.

    Until the commit, other transactions wait here for the same owner, so that none exceeds a quota beside this one.
    """
    if not is_sqlite(connection):
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('test runs'), hashtext(:owner))"), {"owner": owner_id}
        )
    query = (
        select(func.count())
        .select_from(runs)
        .join(jobs, jobs.c.id == runs.c.job_id)
        .where(runs.c.trigger == Trigger.TEST, with_status(*ACTIVE), jobs.c.owner_id == owner_id)
    )
    return (await connection.execute(query)).scalar_one()


async def prune(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete test runs that ended before an instant, with their jobs. Return their number."""
    keys = select(_tests.c.id, _tests.c.job_id).where(_IS_TEST, _tests.c.finished_at < before).limit(limit)
    found = (await connection.execute(keys)).all()
    if found:
        await connection.execute(delete(runs).where(runs.c.id.in_([row.id for row in found])))
        await connection.execute(delete(jobs).where(jobs.c.id.in_([row.job_id for row in found])))
    return len(found)
