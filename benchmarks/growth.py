"""How the costs of an installation grow with its jobs and its runs, as a table and as curves.

At each size: the fires a second of a herd of a thousand jobs, an idle tick of the dispatcher, and a page of jobs and of
runs. Beside the pages, a page by the bare key. The curves go to a picture beside the report, if matplotlib is
installed, as `make bench` does. A cost that does not grow is a flat line.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from benchmarks.dispatch import NOON, databases, migrated
from benchmarks.lists import SIZE, milliseconds
from benchmarks.shared.reports import Report, machine_facts, options
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit import history
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.listing import Count, JobFilter, Page, RunFilter
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.storage import job_lists, run_lists
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs, runs

FIRED = 1000
RUNS_OF_A_JOB = 10
FIRES, TICK, JOBS, RUNS, FLOOR = "fires", "idle tick", "50 jobs", "50 runs", "50 runs by key (floor)"
UNITS = {FIRES: "/s", TICK: "ms", JOBS: "ms", RUNS: "ms", FLOOR: "ms"}
Figures = dict[str, list[float]]


async def measure(url: str, count: int, rounds: int) -> Figures:
    """Measure each cost by turns in a database with `count` jobs, and RUNS_OF_A_JOB runs of each."""
    figures: Figures = defaultdict(list)
    async with migrated(url) as database:
        later = (timedelta(days=3650), timedelta(days=1))
        await history.fill(database, job_count=count, run_count=count * RUNS_OF_A_JOB, due=later)
        dispatcher = Dispatcher(database, RecordingBroker(), FakeClock(NOON), tick_seconds=1)
        for number in range(rounds):
            due = await _make_due(database, number, min(FIRED, count // rounds))
            figures[FIRES].append(due / await milliseconds(dispatcher.tick()) * 1000)
            figures[TICK].append(await milliseconds(dispatcher.tick()))
            for name, page in _pages().items():
                async with database.read() as connection:
                    figures[name].append(await milliseconds(page(connection)))
    return figures


async def _make_due(database: Database, number: int, count: int) -> int:
    """Make jobs due that no earlier round fired. Return how many."""
    ids = (jobs.c.id > number * count) & (jobs.c.id <= (number + 1) * count)
    made_due = update(jobs).where(ids, jobs.c.next_run_at.is_not(None)).values(next_run_at=NOON)
    async with database.write() as connection:
        return (await connection.execute(made_due)).rowcount


def _pages() -> Mapping[str, Callable[[AsyncConnection], Awaitable[object]]]:
    page = Page(size=SIZE, count=Count.NONE)
    return {
        JOBS: lambda connection: job_lists.page(connection, JobFilter(), page),
        RUNS: lambda connection: run_lists.page(connection, RunFilter(), page),
        FLOOR: lambda connection: connection.execute(select(runs).order_by(runs.c.id.desc()).limit(SIZE)),
    }


def enter(report: Report, measured: Mapping[tuple[str, int], Figures]) -> None:
    """Enter the figures of each database and size, and what became of them from the smallest size to the largest."""
    for (kind, count), figures in measured.items():
        group = f"{kind}, {count:,} jobs, {count * RUNS_OF_A_JOB:,} runs"
        for name, values in figures.items():
            report.add(group, name, UNITS[name], values)
    for kind in dict.fromkeys(kind for kind, _ in measured):
        sizes = [figures for (of, _), figures in measured.items() if of == kind]
        for name in UNITS:
            report.compare(f"{kind}, largest to smallest", name, sizes[-1][name], sizes[0][name])


def draw(measured: Mapping[tuple[str, int], Figures], path: Path) -> None:
    """Write a picture with a curve for each cost and database, over the number of jobs."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (it need not be installed)

    picture = Figure(figsize=(11, 7), layout="constrained")
    for axes, name in zip(picture.subplots(2, 3).flat, UNITS, strict=False):
        for kind in dict.fromkeys(kind for kind, _ in measured):
            points = [(count, median(figures[name])) for (of, count), figures in measured.items() if of == kind]
            axes.plot(*zip(*points, strict=True), marker="o", label=kind)
        axes.set(title=f"{name} ({UNITS[name]})", xscale="log", xlabel="jobs", ylim=(0, None))
        axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path)


def main() -> None:
    """Print a table, write a report, and draw the curves."""
    parser = options(__doc__, "growth")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    report = Report({"rounds": arguments.rounds, "runs of a job": RUNS_OF_A_JOB} | machine_facts())
    measured: dict[tuple[str, int], Figures] = {}
    for count in arguments.jobs:
        with databases() as urls:
            for kind, url in urls.items():
                print(f"{kind}: {count} jobs and {count * RUNS_OF_A_JOB} runs …", file=sys.stderr)
                measured[kind, count] = asyncio.run(measure(url, count, arguments.rounds))
    enter(report, measured)
    report.show()
    report.write(arguments.report)
    if find_spec("matplotlib"):
        draw(measured, arguments.report.with_suffix(".svg"))


if __name__ == "__main__":
    main()
