"""A long history, stored by a few statements of the database itself.

Its jobs belong to a hundred owners, and one in a thousand to an owner of its own kind (`rare`). Of a hundred runs, 95
succeeded, and one in a thousand was requested by a user. A queue of a hundred runs waits.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.database import Database
from testkit.databases import A_JOB

WAITING = 100
OWNERS = 100
RARE = "rare"
"""The owner, and the tag, of one job in a thousand."""
_SECONDS = 30 * 86_400
"""The runs are spread over these seconds from the beginning of 2026."""


@dataclass(frozen=True, slots=True)
class _Dialect:
    """Expressions of a database: the numbers from 1 to :count as `n`, and an instant of a number of seconds."""

    series: str
    instant: str


_SQLITE = _Dialect(
    "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count) SELECT n FROM s) AS s",
    "(1767225600000000 + CAST(({}) * 1000000 AS INTEGER))",
)
_POSTGRESQL = _Dialect(
    "generate_series(1, CAST(:count AS bigint)) AS s(n)", "(timestamptz '2026-01-01 00:00Z' + ({}) * interval '1 s')"
)
_COLUMNS = (
    "job_id, status, reason, trigger, scheduled_for, missed_count, priority, queued_at, available_at, started_at, "
    "finished_at, lateness_seconds, attempt, retry_count, rescue_count, worker_id, exit_code, log_bytes, "
    "logs_truncated, correlation_id"
)


async def fill(database: Database, *, job_count: int, run_count: int) -> None:
    """Store jobs and runs in an empty database, without events, and let the database analyze its tables."""
    dialect = _SQLITE if database.is_sqlite else _POSTGRESQL
    async with database.write() as connection, _without_events(connection, database):
        await connection.execute(_jobs(dialect), {"count": job_count})
        await connection.execute(text(_runs(dialect, job_count, run_count)), {"count": run_count})
        await connection.execute(text(_waiting(dialect, job_count)), {"count": WAITING})
    async with database.read() if not database.is_sqlite else database.write() as connection:
        if not database.is_sqlite:  # VACUUM refuses to run in a transaction
            await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE"))


def _jobs(dialect: _Dialect) -> TextClause:
    next_run_at = dialect.instant.format("40000000 + n % 3600")
    own = {
        "name": "'job ' || n || CASE WHEN n % 1000 = 0 THEN ' Überweisung' ELSE ' report' END",
        "owner_id": f"CASE WHEN n % 1000 = 0 THEN '{RARE}' ELSE 'owner' || n % {OWNERS} END",
        "tags": _json(f"CASE WHEN n % 1000 = 0 THEN '[\"{RARE}\"]' ELSE '[\"common\"]' END", dialect),
        "status": "CASE WHEN n % 1000 = 1 THEN 'finished' WHEN n % 20 = 0 THEN 'paused' ELSE 'active' END",
        "priority": "n % 10",
        "next_run_at": f"CASE WHEN n % 20 = 0 OR n % 1000 = 1 THEN NULL ELSE {next_run_at} END",
    }
    instants = {name: dialect.instant.format("n % 86400") for name in ("anchor_at", "created_at", "updated_at")}
    names = [name for name in A_JOB if A_JOB[name] is not None or name in own]
    values = [own.get(name) or instants.get(name) or _literal(A_JOB[name], dialect) for name in names]
    return text(f"INSERT INTO jobs ({', '.join(names)}) SELECT {', '.join(values)} FROM {dialect.series}")  # noqa: S608


def _runs(dialect: _Dialect, job_count: int, run_count: int) -> str:
    at = dialect.instant.format(f"n * {_SECONDS / run_count!r}")
    end = dialect.instant.format(f"n * {_SECONDS / run_count!r} + 1 + n % 50")
    is_missed = "n % 1000 = 7"
    ends = [
        (is_missed, "missed", "misfire"),
        ("n % 100 = 3", "skipped", "overlap"),
        ("n % 50 = 1", "failed", "exit_code"),
    ]
    status = " ".join(f"WHEN {when} THEN '{end}'" for when, end, _ in ends)
    reason = " ".join(f"WHEN {when} THEN '{why}'" for when, _, why in ends)
    return (
        f"INSERT INTO runs ({_COLUMNS}) SELECT 1 + n * 7919 % {job_count}, "  # noqa: S608
        f"CASE {status} ELSE 'success' END, CASE {reason} END, "
        f"CASE WHEN n % 1000 = 5 THEN 'manual' ELSE 'schedule' END, {at}, CASE WHEN {is_missed} THEN 1 END, 5, {at}, "
        f"{at}, {at}, {end}, 0.001 * (n % 700), 1, 0, 0, 'w', CASE WHEN n % 50 = 1 THEN 1 ELSE 0 END, 0, false, 'c' "
        f"FROM {dialect.series}"
    )


def _waiting(dialect: _Dialect, job_count: int) -> str:
    at = dialect.instant.format(f"{_SECONDS} + n")
    return (
        f"INSERT INTO runs ({_COLUMNS}) SELECT 1 + n % {job_count}, 'queued', NULL, 'manual', {at}, NULL, 5, {at}, "  # noqa: S608
        f"{at}, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, 0, false, 'c' FROM {dialect.series}"
    )


def _literal(value: object, dialect: _Dialect) -> str:
    if isinstance(value, list | dict):
        return _json(f"'{json.dumps(value)}'", dialect)
    return str(value) if isinstance(value, int | float) else f"'{value}'"


def _json(written: str, dialect: _Dialect) -> str:
    return written if dialect is _SQLITE else f"CAST({written} AS JSONB)"


@asynccontextmanager
async def _without_events(connection: AsyncConnection, database: Database) -> AsyncIterator[None]:
    """Disable the triggers that write an event for each row."""
    if not database.is_sqlite:
        for table, trigger in (("jobs", "jobs_added"), ("runs", "runs_added")):
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}"))
        yield
        for table, trigger in (("jobs", "jobs_added"), ("runs", "runs_added")):
            await connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}"))
        return
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name IN ('jobs_added', 'runs_added')"
    kept = (await connection.execute(text(query))).all()
    for name, _ in kept:
        await connection.execute(text(f"DROP TRIGGER {name}"))
    yield
    for _, statement in kept:
        await connection.exec_driver_sql(statement)
