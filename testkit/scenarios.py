"""Random jobs with outages and run lengths, whose real ledger is compared with the simulated one."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.services.simulation_request import SimulationRequest
from scheduler_service.services.simulations import SimulationService
from scheduler_service.storage import run_lists
from scheduler_service.storage.database import Database
from testkit.callers import ADMIN
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock
from testkit.virtual_engine import STEP, Spans, VirtualEngine

JOBS = 25
"""Jobs of a world, which share its outages."""
WINDOW, LONGEST_WAIT = timedelta(hours=1), timedelta(minutes=11)
_EXECUTED = frozenset({RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.SUCCESS})
Row = tuple[Any, bool, Reason | None, int | None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A job's fields, and how long its runs take."""

    fields: dict[str, Any]
    run_seconds: int


def random_scenario(chooser: random.Random) -> Scenario:
    """Return a job whose instants fall on whole minutes."""
    fields = {
        "schedule_expr": chooser.choice(
            ["*/10 * * * *", "*/7 * * * *", "* * * * *", "5,6,7,40 * * * *", "*/20 * * * *"]
        ),
        "overlap_policy": chooser.choice(["skip", "queue", "allow", "cancel_running"]),
        "misfire_policy": chooser.choice(["fire_once", "fire_all", "skip"]),
        "catchup_limit": chooser.randint(1, 5),
        "max_concurrency": chooser.randint(1, 3),
        "start_deadline_seconds": chooser.choice([None, None, 180.0, 600.0]),
        # No instant comes behind the window, so that the last runs can end there.
        "end_at": NOON + WINDOW - STEP,
        "max_runs": chooser.choice([None, None, None, chooser.randint(1, 6)]),
    }
    return Scenario(fields, 30 * chooser.choice([1, 2, 3, 10, 30, 50]))


def random_outages(chooser: random.Random) -> Spans:
    """Return up to two outages, in whole minutes after the beginning."""
    minutes = sorted(chooser.sample(range(2, 58), 4))
    return [(minutes[0], minutes[1]), (minutes[2], minutes[3])][: chooser.randint(0, 2)]


async def differing(database: Database, clock: FakeClock, seed: int) -> list[str]:
    """Return a line for each job of a world whose simulated ledger differs from that of the real engine.

    The database has no jobs yet, and the clock stands at `NOON`.
    """
    chooser = random.Random(seed)  # noqa: S311 (reproducible)
    outages = random_outages(chooser)
    scenarios: dict[int, Scenario] = {}
    for _ in range(JOBS):
        scenario = random_scenario(chooser)
        first = NOON + timedelta(minutes=5) if scenario.fields["schedule_expr"].startswith("5,") else NOON
        job = await add_job(database, **{**scenario.fields, "next_run_at": first})
        scenarios[job.id] = scenario
    lengths = {job_id: timedelta(seconds=scenario.run_seconds) for job_id, scenario in scenarios.items()}
    await VirtualEngine(database, clock, lengths).run_until(NOON + WINDOW + LONGEST_WAIT, outages)
    found = []
    for job_id, scenario in scenarios.items():
        real = await _real(database, job_id)
        simulated = await _simulated(database, clock, job_id, scenario, outages)
        if real != simulated:
            found.append(f"seed {seed}: {scenario}, outages {outages}: {real} but simulated {simulated}")
    return found


async def _real(database: Database, job_id: int) -> list[Row]:
    async with database.read() as connection:
        rows = (await run_lists.page(connection, RunFilter(job_id=job_id), Page(size=500))).items
    found = [(row.scheduled_for, row.status in _EXECUTED, row.reason, row.missed_count) for row in rows]
    return sorted(found, key=lambda row: row[0])


async def _simulated(
    database: Database, clock: FakeClock, job_id: int, scenario: Scenario, outages: Spans
) -> list[Row]:
    spans = [{"from": NOON + timedelta(minutes=begin), "to": NOON + timedelta(minutes=end)} for begin, end in outages]
    request = {"from": NOON, "to": NOON + WINDOW, "job_id": job_id, "run_seconds": scenario.run_seconds}
    service = SimulationService(database, clock)
    simulated = await service.simulate(ADMIN, SimulationRequest.model_validate({**request, "outages": spans}))
    rows = [(row.scheduled_for, row.status in _EXECUTED, row.reason, row.missed_count) for row in simulated.rows]
    return sorted(rows, key=lambda row: row[0])
