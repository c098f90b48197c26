"""The figures of each hour agree with the rows, whatever happened to them."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update
from testkit.databases import NOON, add_job
from tests.storage.stored_runs import put

from scheduler_service.domain.hours import hour_of, spread
from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import TERMINAL, Reason, RunStatus, Trigger
from scheduler_service.engine.metrics_fold import MetricsFold
from scheduler_service.storage import hour_totals, run_lists
from scheduler_service.storage.database import Database
from scheduler_service.storage.hour_counts import ENDED, INSTANT
from scheduler_service.storage.tables import jobs, runs

HOUR = timedelta(hours=1)
SINCE, UNTIL = hour_of(NOON) - 48 * HOUR, hour_of(NOON) + 48 * HOUR
Figures = dict[tuple[datetime, RunStatus, Reason | None], tuple[int, int]]


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 (not a secret)


async def figures(database: Database, measure: str, owner_id: str | None = None) -> Figures:
    async with database.snapshot() as snapshot:
        counts = (await hour_totals.read(snapshot, (measure,), SINCE, UNTIL, owner_id=owner_id))[measure]
    return _added((count.hour, count.status, count.reason, count.rows, count.instants) for count in counts)


def _added(rows: Any) -> Figures:
    added: dict[Any, Counter[str]] = {}
    for hour, status, reason, count, instants in rows:
        added.setdefault((hour, status, reason), Counter()).update({"rows": count, "instants": instants})
    return {key: (counts["rows"], counts["instants"]) for key, counts in added.items()}


def of_rows(found: list[Run], measure: str) -> Figures:
    """Return the figures that the rows themselves have."""
    counted = []
    for run in found:
        if run.status not in TERMINAL or (measure == INSTANT and run.trigger is not Trigger.SCHEDULE):
            continue
        if measure == ENDED:
            assert run.finished_at is not None
            counted.append((hour_of(run.finished_at), run.status, run.reason, 1, run.missed_count or 1))
            continue
        shares = spread(run.scheduled_for, run.missed_until or run.scheduled_for, run.missed_count or 1)
        for number, (hour, share) in enumerate(shares):
            counted.append((hour, run.status, run.reason, int(number == 0), share))
    return _added(row for row in counted if SINCE <= row[0] < UNTIL)


async def all_runs(database: Database, owner_id: str | None = None) -> list[Run]:
    async with database.read() as connection:
        found: list[Run] = []
        page = Page(size=100)
        while True:
            listing = await run_lists.page(connection, RunFilter(owner_id=owner_id), page)
            found += listing.items
            if listing.next is None:
                return found
            page = Page(size=100, cursor=listing.next)


async def check(database: Database) -> None:
    for owner_id in (None, "ann", "bob"):
        found = await all_runs(database, owner_id)
        for measure in (INSTANT, ENDED):
            assert await figures(database, measure, owner_id) == of_rows(found, measure)


async def add_some(database: Database, of: list[Job], chance: random.Random, count: int) -> None:
    for _ in range(count):
        at = NOON + timedelta(seconds=chance.randint(-20 * 3600, 20 * 3600), microseconds=chance.randint(0, 10**6))
        status = chance.choice([*sorted(TERMINAL), RunStatus.QUEUED])
        values: dict[str, Any] = {"scheduled_for": at, "trigger": chance.choice([Trigger.SCHEDULE, Trigger.MANUAL])}
        if status in TERMINAL:
            values["finished_at"] = at + timedelta(seconds=chance.randint(0, 7200))
            values["reason"] = None if status is RunStatus.SUCCESS else chance.choice(list(Reason))
        if status is RunStatus.MISSED:
            covered = chance.choice([0, 40, 9000])
            values |= {"missed_until": at + timedelta(seconds=covered), "missed_count": 1 + covered // 10}
        await put(database, chance.choice(of), status, **values)


async def end_one(database: Database) -> None:
    async with database.write() as connection:
        queued = runs.c.status == RunStatus.QUEUED
        values = {"status": RunStatus.CANCELLED, "reason": Reason.USER, "finished_at": NOON}
        await connection.execute(update(runs).where(queued).values(values))


@pytest.mark.parametrize("seed", [1, 2])
async def test_figures_agree_with_the_rows_after_random_histories(database: Database, seed: int) -> None:
    chance = _chance(seed)
    of = [await add_job(database, owner_id=owner) for owner in ("ann", "bob", "bob")]
    fold = MetricsFold(database)
    for _ in range(4):
        await add_some(database, of, chance, 12)
        if chance.random() < 0.6:
            await fold.fold()
        await end_one(database)
        await check(database)
    await MetricsFold(database).fold()  # after a restart
    await check(database)
    async with database.write() as connection:
        await hour_totals.recount(connection)
    await check(database)


async def test_figures_behind_the_horizon_agree_after_retention(database: Database) -> None:
    job = await add_job(database, owner_id="ann")
    await add_some(database, [job], _chance(3), 40)
    await MetricsFold(database).fold()
    horizon = hour_of(NOON)
    async with database.write() as connection:
        await connection.execute(delete(runs).where(runs.c.finished_at < horizon))
        await hour_totals.prune(connection, horizon, 1)

    kept = of_rows(await all_runs(database), INSTANT)

    assert await figures(database, INSTANT) == {key: counts for key, counts in kept.items() if key[0] >= horizon}


async def test_runs_of_an_earlier_version_are_counted_once(database: Database) -> None:
    await add_some(database, [await add_job(database, owner_id="ann")], _chance(4), 20)
    async with database.read() as connection:
        assert await hour_totals.is_uncounted(connection)
    async with database.write() as connection:
        await hour_totals.recount(connection)
        assert not await hour_totals.is_uncounted(connection)
    await MetricsFold(database).fold()
    await check(database)


async def test_recount_follows_a_job_to_its_new_owner(database: Database) -> None:
    job = await add_job(database, owner_id="ann")
    await add_some(database, [job], _chance(5), 20)
    await MetricsFold(database).fold()
    async with database.write() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == job.id).values(owner_id="bob"))
        await hour_totals.recount(connection)
    await check(database)


async def test_equal_ranges_of_several_jobs_all_count(database: Database) -> None:
    missed = {"scheduled_for": NOON, "finished_at": NOON + 3 * HOUR, "reason": Reason.MISFIRE}
    missed |= {"missed_until": NOON + 2 * HOUR, "missed_count": 13}
    for owner_id in ("ann", "bob", "bob"):
        await put(database, await add_job(database, owner_id=owner_id), RunStatus.MISSED, **missed)
    await check(database)
    await MetricsFold(database).fold()
    await check(database)


@pytest.mark.parametrize(
    ("minutes", "count", "shares"),
    [
        (0, 1, [1]),
        (59, 60, [60]),
        (60, 61, [60, 1]),
        (180, 4, [1, 1, 1, 1]),
        (180, 2, [1, 0, 0, 1]),
        (119, 120, [60, 60]),
    ],
)
def test_range_is_divided_among_its_hours(minutes: int, count: int, shares: list[int]) -> None:
    divided = dict(spread(hour_of(NOON), hour_of(NOON) + timedelta(minutes=minutes), count))

    assert [divided.get(hour_of(NOON) + number * HOUR, 0) for number in range(len(shares))] == shares
    assert sum(divided.values()) == count
