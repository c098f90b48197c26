"""A page of a list costs the same, however long the list is.

Time is not measured here. On SQLite, the steps of its virtual machine are counted, on PostgreSQL the pages of memory
that the plan touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit import history
from tests.database_fixtures import shared_database_url

from scheduler_service.domain.listing import Count, Cursor, JobFilter, Page, RunFilter
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus, Trigger
from scheduler_service.storage import job_lists, run_lists
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs, runs

__all__ = ["shared_database_url"]

JOBS, RUNS = 6_000, 60_000
# A page of ten rows takes a few hundred steps or pages. Reading each row once takes more than JOBS of either.
MAX_STEPS = 30_000
MAX_BLOCKS = 700
# The runs of one owner are looked for among those of a hundred.
MAX_FOR_OWNER = 10
STEPS_A_CALL = 100
MIDDLE = datetime(2026, 1, 15, tzinfo=UTC)
LATE = datetime(2026, 1, 30, 18, tzinfo=UTC)
# A minute after the first of the next instants, which `history` spreads over an hour.
DUE = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=40_000_060)

JOB_FILTERS: dict[str, JobFilter] = {
    "all": JobFilter(),
    "owner": JobFilter(owner_id=history.RARE),
    "status active": JobFilter(status=JobStatus.ACTIVE),
    "status finished": JobFilter(status=JobStatus.FINISHED),
    "tag rare": JobFilter(tag=history.RARE),
    "tag common": JobFilter(tag="common"),
    "tag of none": JobFilter(tag="nothing"),
    "last status rare": JobFilter(last_status=RunStatus.FAILED),
    "last status common": JobFilter(last_status=RunStatus.SUCCESS),
    "type rare": JobFilter(payload_type="python_code"),
    "type common": JobFilter(payload_type="program"),
    "type and status, both common": JobFilter(payload_type="program", status=JobStatus.ACTIVE),
    "status rare, by name": JobFilter(status=JobStatus.FINISHED, sort="name"),
    "paused, by instant": JobFilter(status=JobStatus.PAUSED, sort="next_run_at"),
    "due soon": JobFilter(due_before=DUE),
    "due in a minute": JobFilter(due_since=DUE, due_before=DUE + timedelta(minutes=1), sort="next_run_at"),
    "due in 10 seconds, by id": JobFilter(due_since=DUE, due_before=DUE + timedelta(seconds=10)),
    "due late": JobFilter(due_before=DUE + timedelta(days=1)),
    "due late, by name": JobFilter(due_before=DUE + timedelta(days=1), sort="-name"),
    "due late, by instant": JobFilter(due_before=DUE + timedelta(days=1), sort="-next_run_at"),
    "name": JobFilter(name="job 7 report"),
    "name, by name, of many": JobFilter(name="job 7 report", tag="common", sort="name"),
    "search rare": JobFilter(q="überWEIS"),
    "search common": JobFilter(q="report"),
    "search for nothing": JobFilter(q="nothing"),
    **{f"sort {sign}{name}": JobFilter(sort=sign + name) for name in job_lists.SORTS for sign in ("", "-")},
}
RUN_FILTERS: dict[str, RunFilter] = {
    "all": RunFilter(),
    **{f"status {status}": RunFilter(statuses=(status,)) for status in RunStatus},
    "status of three": RunFilter(statuses=(RunStatus.FAILED, RunStatus.MISSED, RunStatus.SUCCESS)),
    "reason rare": RunFilter(reason=Reason.MISFIRE),
    "reason of none": RunFilter(reason=Reason.REJECTED),
    "reason and status": RunFilter(reason=Reason.EXIT_CODE, statuses=(RunStatus.FAILED, RunStatus.SKIPPED)),
    "tag common": RunFilter(tag="common"),
    **{f"trigger {trigger}": RunFilter(trigger=trigger) for trigger in Trigger},
    "job": RunFilter(job_id=1),
    "owner": RunFilter(owner_id="owner1"),
    "late": RunFilter(is_late=True),
    "late of an owner": RunFilter(is_late=True, owner_id="owner1"),
    "owner rare": RunFilter(owner_id=history.RARE),
    "tag rare": RunFilter(tag=history.RARE),
    "failed since": RunFilter(statuses=(RunStatus.FAILED,), since=LATE),
    "since": RunFilter(since=MIDDLE),
    "until": RunFilter(until=MIDDLE),
    "until long ago": RunFilter(until=datetime(2025, 1, 1, tzinfo=UTC)),
}


@pytest.fixture(scope="module")
def filled_url(shared_database_url: str) -> str:
    async def fill() -> None:
        database = Database(shared_database_url)
        await history.fill(database, job_count=JOBS, run_count=RUNS)
        await database.close()

    asyncio.run(fill())
    return shared_database_url


@pytest.fixture
async def connection(filled_url: str) -> AsyncIterator[AsyncConnection]:
    database = Database(filled_url)
    async with database.read() as connection:
        yield connection
    await database.close()


Ask = Callable[[], Awaitable[Any]]


async def check_cost(connection: AsyncConnection, ask: Ask, factor: int = 1) -> None:
    if connection.dialect.name == "sqlite":
        assert await steps(connection, ask) <= MAX_STEPS * factor
    else:
        assert await blocks(connection, ask) <= MAX_BLOCKS * factor


async def steps(connection: AsyncConnection, ask: Ask) -> int:
    """Return how many steps SQLite's virtual machine needs."""
    await ask()  # the statements are compiled, and the driver knows the tables
    driver: Any = (await connection.get_raw_connection()).driver_connection
    calls = 0

    def count() -> int:
        nonlocal calls
        calls += 1
        return 0

    await driver.set_progress_handler(count, STEPS_A_CALL)
    await ask()
    await driver.set_progress_handler(None, STEPS_A_CALL)
    return calls * STEPS_A_CALL


async def blocks(connection: AsyncConnection, ask: Ask) -> int:
    """Return how many pages PostgreSQL touches, and fail if it reads all jobs or all runs."""
    asked: list[tuple[str, Any]] = []

    def remember(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(connection.sync_connection, "before_cursor_execute", remember)
    await ask()
    event.remove(connection.sync_connection, "before_cursor_execute", remember)
    touched = 0
    for statement, parameters in asked:
        explained = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
        plan = explained.scalar_one()[0]["Plan"]
        scanned = {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
        assert not scanned & {"jobs", "runs", "job_lookup"}, statement
        touched += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return touched


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@pytest.mark.parametrize("name", JOB_FILTERS)
async def test_page_of_jobs_reads_few_rows(connection: AsyncConnection, name: str) -> None:
    page = Page(count=Count.NONE)
    await check_cost(connection, lambda: job_lists.page(connection, JOB_FILTERS[name], page))


@pytest.mark.parametrize("name", RUN_FILTERS)
async def test_page_of_runs_reads_few_rows(connection: AsyncConnection, name: str) -> None:
    page = Page(count=Count.NONE)
    factor = MAX_FOR_OWNER if name in {"owner", "owner rare", "tag rare"} else 1
    await check_cost(connection, lambda: run_lists.page(connection, RUN_FILTERS[name], page), factor)


@pytest.mark.parametrize("sort", job_lists.SORTS)
async def test_deep_page_of_jobs_by_cursor_reads_few_rows(connection: AsyncConnection, sort: str) -> None:
    filters = JobFilter(sort=sort)
    first = await job_lists.page(connection, filters, Page(number=JOBS // 20, count=Count.NONE))

    page = Page(cursor=first.next, count=Count.NONE)
    await check_cost(connection, lambda: job_lists.page(connection, filters, page))


async def test_deep_page_of_runs_by_cursor_reads_few_rows(connection: AsyncConnection) -> None:
    page = Page(cursor=Cursor(RUNS // 2), count=Count.NONE)

    await check_cost(connection, lambda: run_lists.page(connection, RunFilter(), page))


@pytest.mark.parametrize("owner_id", ["owner1", history.RARE, "nobody"])
async def test_runs_of_an_owner_are_its_newest(connection: AsyncConnection, owner_id: str) -> None:
    of_owner = select(runs.c.id).join(jobs, jobs.c.id == runs.c.job_id).where(jobs.c.owner_id == owner_id)
    ids = list((await connection.execute(of_owner.order_by(runs.c.id.desc()).limit(30))).scalars())

    first = await run_lists.page(connection, RunFilter(owner_id=owner_id), Page(size=20, count=Count.CAPPED))
    found = [run.id for run in first.items]
    if first.next is not None:
        second = await run_lists.page(connection, RunFilter(owner_id=owner_id), Page(size=10, cursor=first.next))
        found += [run.id for run in second.items]

    assert found == ids
    assert first.total == len((await connection.execute(of_owner)).all())
