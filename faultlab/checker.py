"""Checks the counters of /metrics against the rows of the database."""

from __future__ import annotations

from collections import Counter

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select

from faultlab.promise import Promise
from scheduler_service.domain.run_state import TERMINAL, RunStatus
from scheduler_service.storage.database import Database
from scheduler_service.storage.event_tables import events
from scheduler_service.storage.events import FENCED
from scheduler_service.storage.tables import jobs, runs

RUNS = "scheduler_runs_total"
MISSED = "scheduler_missed_instants_total"
FENCES = "scheduler_fenced_writes_total"
DURATIONS = "scheduler_run_duration_seconds_count"
LATENESSES = "scheduler_fire_lateness_seconds_count"
COUNTERS = (RUNS, MISSED, FENCES, DURATIONS, LATENESSES)

Key = tuple[str, ...]
"""The name of a counter, and the values of its labels."""


def read_counters(url: str) -> Counter[Key]:
    """Return the counters that a process reports at /metrics."""
    text = httpx2.get(f"{url}/metrics", timeout=30).raise_for_status().text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return Counter(
        {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): int(sample.value)
            for sample in samples
            if sample.name in COUNTERS
        }
    )


async def count_rows(database_url: str) -> Counter[Key]:
    """Count the same in the rows. No row may have been pruned, and no run cancelled while it was queued."""
    database = Database(database_url)
    measured = func.count().filter(runs.c.started_at.is_not(None), runs.c.finished_at.is_not(None))
    each = select(
        runs.c.job_id,
        runs.c.status,
        func.count(),
        func.coalesce(func.sum(runs.c.missed_count), 0),
        measured,
        func.count(runs.c.lateness_seconds),
    ).group_by(runs.c.job_id, runs.c.status)
    async with database.read() as connection:
        kinds = {
            job_id: payload["type"] for job_id, payload in await connection.execute(select(jobs.c.id, jobs.c.payload))
        }
        rows = (await connection.execute(each)).all()
        fences = (await connection.execute(select(func.count()).where(events.c.change == FENCED))).scalar_one()
    await database.close()
    counted: Counter[Key] = Counter({(FENCES,): fences})
    for job_id, status, number, missed, durations, latenesses in rows:
        counted[RUNS, kinds[job_id], status] += number if status in TERMINAL else 0
        counted[MISSED,] += missed
        counted[DURATIONS,] += durations
        counted[LATENESSES,] += latenesses
    return counted


async def count_active(database_url: str) -> int:
    """Count the runs in a state that is not terminal."""
    database = Database(database_url)
    async with database.read() as connection:
        query = select(func.count()).select_from(runs).where(runs.c.status.not_in(TERMINAL))
        number = int((await connection.execute(query)).scalar_one())
    await database.close()
    return number


def executed(counters: Counter[Key]) -> int:
    """Return how many runs were executed to their end."""
    ran = {RunStatus.SUCCESS, RunStatus.FAILED}
    return sum(number for key, number in counters.items() if key[0] == RUNS and key[-1] in ran)


def compare(reported: Counter[Key], counted: Counter[Key]) -> list[Promise]:
    """Compare each counter with the rows."""
    return [
        Promise(
            f"{name} equals what the database counts",
            _of(reported, name) == _of(counted, name),
            f"{_of(reported, name).total()} reported, {_of(counted, name).total()} counted",
        )
        for name in COUNTERS
    ]


def _of(counters: Counter[Key], name: str) -> Counter[Key]:
    return Counter({key: number for key, number in counters.items() if key[0] == name and number})
