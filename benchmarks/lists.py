"""How long a page of jobs and runs takes in a long history, by each filter and order, beside a page by the bare key.

The floor is the same number of whole rows in the order of their ids. It is asked by turns with each list.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from benchmarks.dispatch import databases
from benchmarks.shared.reports import Report, machine_facts, options
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit import history

from scheduler_service.domain.listing import Count, JobFilter, Listing, Page, RunFilter
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import JobStatus, RunStatus, Trigger
from scheduler_service.storage import job_lists, migrations, run_lists
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs, runs

SIZE = 50
MIDDLE = datetime(2026, 1, 15, tzinfo=UTC)
JOB_FILTERS = {
    "all": JobFilter(),
    "owner_id": JobFilter(owner_id=history.RARE),
    "status=active": JobFilter(status=JobStatus.ACTIVE),
    "status=finished": JobFilter(status=JobStatus.FINISHED),
    "tag, rare": JobFilter(tag=history.RARE),
    "tag, common": JobFilter(tag="common"),
    "q, rare": JobFilter(q="überweisung"),
    "q, common": JobFilter(q="report"),
    "q, not found": JobFilter(q="nothing"),
    **{f"sort={sort}": JobFilter(sort=sort) for sort in ("name", "-created_at", "-next_run_at", "-priority")},
}
RUN_FILTERS = {
    "all": RunFilter(),
    **{f"status={status}": RunFilter(statuses=(status,)) for status in (RunStatus.SUCCESS, RunStatus.FAILED)},
    "status=queued": RunFilter(statuses=(RunStatus.QUEUED,)),
    "trigger=manual": RunFilter(trigger=Trigger.MANUAL),
    "job_id": RunFilter(job_id=1),
    "owner_id, 1 of 100": RunFilter(owner_id="owner1"),
    "owner_id, 1 of 1000": RunFilter(owner_id=history.RARE),
    "since, until": RunFilter(since=MIDDLE, until=MIDDLE + timedelta(hours=1)),
    "until": RunFilter(until=MIDDLE),
}

Ask = Callable[[AsyncConnection, Page], Awaitable[Listing[Job] | Listing[Run]]]


def lists() -> dict[str, Ask]:
    """Return the lists by their names."""
    of_jobs: dict[str, Ask] = {
        f"/jobs {name}": lambda connection, page, filters=filters: job_lists.page(connection, filters, page)  # type: ignore[misc]
        for name, filters in JOB_FILTERS.items()
    }
    of_runs: dict[str, Ask] = {
        f"/runs {name}": lambda connection, page, filters=filters: run_lists.page(connection, filters, page)  # type: ignore[misc]
        for name, filters in RUN_FILTERS.items()
    }
    return of_jobs | of_runs


async def measure(report: Report, kind: str, url: str, sizes: tuple[int, int], rounds: int) -> None:
    """Measure each list: its first page, the page behind it by cursor, and a capped count."""
    database = Database(url)
    await migrations.upgrade(database)
    await history.fill(database, job_count=sizes[0], run_count=sizes[1])
    async with database.read() as connection:
        for name, ask in lists().items():
            await _measure_list(report, f"{kind} {name}", connection, ask, rounds)
    await database.close()


async def _measure_list(report: Report, group: str, connection: AsyncConnection, ask: Ask, rounds: int) -> None:
    first = await ask(connection, Page(size=SIZE, count=Count.NONE))
    pages = {
        "first page": Page(size=SIZE, count=Count.NONE),
        "page and capped count": Page(size=SIZE, count=Count.CAPPED),
    }
    if first.next is not None:
        pages["page by cursor"] = Page(size=SIZE, cursor=first.next, count=Count.NONE)
    table = jobs if "/jobs" in group else runs
    floor = select(table).order_by(table.c.id.desc()).limit(SIZE)
    for what, page in pages.items():
        taken, floors = [], []
        for _ in range(rounds):
            taken.append(await milliseconds(ask(connection, page)))
            floors.append(await milliseconds(connection.execute(floor)))
        report.add(group, what, "ms", taken, at_most=30)
        report.add(group, f"{what}, to the floor", "", [ours / bare for ours, bare in zip(taken, floors, strict=True)])


async def milliseconds(asked: Awaitable[object]) -> float:
    """Return the time that something takes."""
    before = time.perf_counter()
    await asked
    return (time.perf_counter() - before) * 1000


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "lists")
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    sizes = (arguments.jobs, arguments.runs)
    report = Report({"jobs": sizes[0], "runs": sizes[1], "rounds": arguments.rounds, "page": SIZE} | machine_facts())
    with databases() as urls:
        for kind, url in urls.items():
            print(f"{kind}: storing {sizes[0]} jobs and {sizes[1]} runs …", file=sys.stderr)
            asyncio.run(measure(report, kind, url, sizes, arguments.rounds))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
