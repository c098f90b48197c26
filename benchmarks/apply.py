"""How long it takes to plan and apply a set of jobs: new, unchanged, all changed, and all deleted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from benchmarks.dispatch import databases
from benchmarks.shared.reports import Report, machine_facts, options
from testkit.callers import ADMIN
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.features.apply.records import Selector
from scheduler_service.features.apply.service import ApplyService
from scheduler_service.services.jobs import JobService
from scheduler_service.storage import migrations
from scheduler_service.storage.database import Database

PLANNED_SECONDS, APPLIED_SECONDS = 2, 5


def documents(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Return jobs as a team would write them."""
    code = "import json\n" + "\n".join(f"print('step {number}')" for number in range(20))
    return [
        {
            "name": f"job {number}",
            "schedule_expr": f"{number % 60} {number % 24} * * *",
            "timezone": "Europe/Berlin",
            "tags": ["benchmark"],
            "payload": {"type": "python_code", "code": code},
            "env": {"LEVEL": "info"},
            "retry_policy": {"max_retries": 2},
            **changes,
        }
        for number in range(count)
    ]


async def measure(report: Report, kind: str, url: str, count: int, rounds: int) -> None:
    """Measure each step of the life of a set, several times."""
    database = Database(url)
    await migrations.upgrade(database)
    clock = FakeClock()
    applies = ApplyService(database, clock, JobService(database, RecordingBroker(), clock, lambda: None))
    new, changed = documents(count), documents(count, priority=9, schedule_expr="30 4 * * *")
    last = documents(1, name="the last")
    taken: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        steps = {
            "plan, new": applies.plan(ADMIN, new),
            "apply, new": applies.apply(ADMIN, new),
            "apply, unchanged": applies.apply(ADMIN, new),
            "plan, all changed": applies.plan(ADMIN, changed),
            "apply, all changed": applies.apply(ADMIN, changed),
            "apply, all deleted": applies.apply(ADMIN, last, Selector(tag="benchmark")),
        }
        for name, step in steps.items():
            taken.setdefault(name, []).append(await _seconds(step))
    for name, seconds in taken.items():
        limit = PLANNED_SECONDS if name.startswith("plan") else APPLIED_SECONDS
        report.add(kind, name, "s", [passed for passed, _ in seconds], at_most=limit)
        report.add(kind, f"{name}, processor time here", "s", [used for _, used in seconds])
    await database.close()


async def _seconds(step: Awaitable[object]) -> tuple[float, float]:
    """Return the time that a step took, and the processor time of this process, without that of PostgreSQL."""
    before, used = time.perf_counter(), time.process_time()
    await step
    return time.perf_counter() - before, time.process_time() - used


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "apply")
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    report = Report({"jobs": arguments.jobs, "rounds": arguments.rounds} | machine_facts())
    with databases() as urls:
        for kind, url in urls.items():
            asyncio.run(measure(report, kind, url, arguments.jobs, arguments.rounds))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
