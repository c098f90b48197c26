"""Frequent queries use their partial index on SQLite, instead of the whole history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.databases import NOON

from scheduler_service.storage import claims, ledger, runs, transitions
from scheduler_service.storage.database import Database

QUERIES: dict[str, tuple[str, Callable[[AsyncConnection], Awaitable[object]]]] = {
    "what a worker may claim": (
        "ix_runs_queued",
        lambda connection: claims.claim(connection, "w", NOON, 4),
    ),
    "the next wait that ends": ("ix_runs_unnotified", ledger.earliest_due),
    "what of a job goes on": ("ix_runs_active", lambda connection: runs.count_active(connection, [1, 2])),
    "what a worker holds": ("ix_runs_running", lambda connection: transitions.held_by(connection, "w")),
    "the next job that is due": ("ix_jobs_due", ledger.earliest_due),
    "the next pause that ends": ("ix_jobs_paused", ledger.earliest_due),
    "the next start deadline": ("ix_runs_start_by", ledger.earliest_due),
}


@pytest.fixture
def database_url(migrated_sqlite: Path) -> str:
    return f"sqlite:///{migrated_sqlite}"


@pytest.mark.parametrize("name", QUERIES)
async def test_query_uses_its_index(database: Database, name: str) -> None:
    index, ask = QUERIES[name]
    asked: list[tuple[str, Any]] = []

    def remember(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    async with database.write() as connection:
        event.listen(connection.sync_connection, "before_cursor_execute", remember)
        await ask(connection)
        statement, parameters = asked[-1]
        plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).mappings().all()
    assert any(f"INDEX {index} " in f"{step['detail']} " for step in plan), statement
