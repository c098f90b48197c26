"""Twenty simulated worlds, of ten thousand that `python -m faultlab.world` simulates, and the checks themselves."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from faultlab.world.campaign import Worlds

SEEDS = 20
SPOILED = 7
"""A world with everything that a fault of these tests needs."""


@pytest.fixture
async def worlds() -> AsyncIterator[Worlds]:
    async with Worlds.opened() as worlds:
        yield worlds


async def test_worlds_keep_every_promise(worlds: Worlds) -> None:
    results = [await worlds.simulate(seed) for seed in range(SEEDS)]
    assert [line for result in results for line in result.violations] == []
    assert sum(result.runs for result in results) > SEEDS * 10


async def test_seed_repeats_its_world(worlds: Worlds) -> None:
    first, second = [await _rows_of(worlds, 3) for _ in range(2)]
    assert first == second


LOST_RUN = "DELETE FROM runs WHERE id = (SELECT min(id) FROM runs WHERE \"trigger\" = 'schedule' AND job_id = 1)"
DOUBLED_RANGE = "UPDATE runs SET missed_count = missed_count + 1 WHERE missed_count IS NOT NULL"
EARLY_RUN = "UPDATE runs SET queued_at = scheduled_for - 1 WHERE \"trigger\" = 'schedule'"
LOST_ATTEMPT = "DELETE FROM attempts WHERE attempt = 1"
LOST_CHAIN = "DELETE FROM runs WHERE \"trigger\" = 'dependency'"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (LOST_RUN, "owed and without a row"),
        (DOUBLED_RANGE, "fits no schedule"),
        (EARLY_RUN, "was queued at"),
        (LOST_ATTEMPT, "attempts up to"),
        (LOST_CHAIN, "runs after"),
    ],
    ids=["lost run", "wrong range", "early run", "lost attempt", "lost chain"],
)
async def test_fault_in_the_rows_is_found(worlds: Worlds, fault: str, told: str) -> None:
    def spoil(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("DROP TRIGGER ended_runs_stay")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(fault)

    found = (await worlds.simulate(SPOILED, spoil)).violations
    assert any(told in line for line in found), found


async def _rows_of(worlds: Worlds, seed: int) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []

    def read(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            rows.extend(connection.execute("SELECT id, job_id, status, scheduled_for, attempt, finished_at FROM runs"))

    await worlds.simulate(seed, read)
    return rows
