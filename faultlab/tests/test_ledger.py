"""The check of the ledger finds each promise that was broken."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from faultlab.ledger import SECOND, check
from testkit.databases import migrate

INSTANT = 1_768_478_400 * SECOND
ROW = (
    "INSERT INTO runs (id, job_id, status, trigger, scheduled_for, priority, queued_at, available_at, attempt,"
    " retry_count, rescue_count, log_bytes, logs_truncated, correlation_id, started_at, worker_id, finished_at,"
    " exit_code) VALUES ({id}, 1, 'success', 'schedule', {at}, 5, {at}, {at}, 1, 0, 0, 2, 0, 'c', {at}, 'w', {at}, 0)"
)


@pytest.fixture(scope="module")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "scheduler.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture
def path(migrated_sqlite: Path, tmp_path: Path) -> Path:
    """A database without faults: three seconds, three runs, their output."""
    path = tmp_path / "scheduler.db"
    shutil.copy(migrated_sqlite, path)
    change(path, "PRAGMA foreign_keys = OFF")
    for number in range(1, 4):
        change(path, ROW.format(id=number, at=INSTANT + number * SECOND))
        change(
            path, "INSERT INTO run_logs SELECT id, 0, CAST(id || char(10) AS BLOB) FROM runs ORDER BY id DESC LIMIT 1"
        )
    return path


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


def broken(path: Path) -> list[str]:
    return [promise.text for promise in check(path, {"jobs": [1, 2], "runs": [3]}) if not promise.kept]


def test_no_promise_is_broken_without_a_fault(path: Path) -> None:
    assert broken(path) == []


@pytest.mark.parametrize(
    ("fault", "promise"),
    [
        ("DELETE FROM runs WHERE id = 2", "each instant is in exactly one row"),
        ("DELETE FROM runs WHERE id = 3", "each accepted run has succeeded"),
        ("UPDATE run_logs SET data = x'31' WHERE run_id = 2", "a run of one attempt wrote exactly its own output"),
        (
            ROW.format(id=9, at=INSTANT).replace("'success'", "'running'").replace(f"{INSTANT}, 0)", "NULL, NULL)"),
            "no run is left running",
        ),
    ],
)
def test_check_finds_each_broken_promise(path: Path, fault: str, promise: str) -> None:
    change(path, fault)
    assert promise in broken(path)
