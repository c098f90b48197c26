"""A long history, stored by a few statements of the database itself.

Its jobs belong to a hundred owners, and one in a thousand to an owner of its own kind (`rare`). Of a hundred runs, 95
succeeded, and one in a thousand was requested by a user. A queue of a hundred runs waits. One run in a hundred has an
attempt and a log.

Rows of a large history are stored without triggers, and without the indexes of `runs`, which are built at the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import TextClause, text

from scheduler_service.storage.database import Database
from testkit import bulk_load
from testkit.databases import A_JOB

WAITING = 100
OWNERS = 100
RARE = "rare"
"""The owner, and the tag, of one job in a thousand."""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
"""When the history begins, unless another instant is given."""
_SECONDS = 30 * 86_400
"""The runs are spread over these seconds from the beginning."""
_UNTIL_DUE, _DUE_SECONDS = 40_000_000, 3_600
"""The seconds from the beginning to the first next instant, and those over which the next instants are spread."""
_BATCH = 1_000_000
_MANY = 200_000


@dataclass(frozen=True, slots=True)
class _Dialect:
    """Expressions of a database: the numbers from :first to :last as `n`, and an instant after `begin`."""

    series: str
    epoch: str
    offset: str
    begin: datetime
    bytes: str

    def instant(self, seconds: str) -> str:
        """Return the instant that is a number of seconds, an expression, after the beginning."""
        begin = self.epoch.format(int(self.begin.timestamp() * 1_000_000), self.begin.isoformat())
        return f"({begin} + {self.offset.format(seconds)})"


def _dialect(database: Database, begin: datetime) -> _Dialect:
    if database.is_sqlite:
        numbers = "WITH RECURSIVE s(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM s WHERE n < :last) SELECT n FROM s"
        series = f"({numbers}) AS s"
        return _Dialect(series, "{0}", "CAST(({}) * 1000000 AS INTEGER)", begin, "CAST('{}' AS BLOB)")
    series = "generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS s(n)"
    return _Dialect(series, "timestamptz '{1}'", "({}) * interval '1 s'", begin, "convert_to('{}', 'UTF8')")


_ATTEMPTS = (
    "INSERT INTO attempts (run_id, attempt, log_offset, worker_id, started_at, finished_at, status, reason, exit_code) "
    "SELECT id, 1, 0, worker_id, started_at, finished_at, status, reason, exit_code FROM runs "
    "WHERE id % 100 = 1 AND status IN ('success', 'failed')"
)
_LOGS = (
    "INSERT INTO run_logs (run_id, at_byte, data) SELECT id, 0, {data} FROM runs "
    "WHERE id % 100 = 1 AND status IN ('success', 'failed')"
)
_COLUMNS = (
    "job_id, status, reason, trigger, scheduled_for, missed_count, priority, queued_at, available_at, started_at, "
    "finished_at, lateness_seconds, attempt, retry_count, rescue_count, worker_id, exit_code, log_bytes, "
    "logs_truncated, correlation_id"
)


async def fill(
    database: Database,
    *,
    job_count: int,
    run_count: int,
    begin: datetime = BEGIN,
    due: tuple[timedelta, timedelta] = (timedelta(seconds=_UNTIL_DUE), timedelta(seconds=_DUE_SECONDS)),
) -> None:
    """Store jobs and runs in an empty database, without events. PostgreSQL analyzes its tables, as it does by itself.

    `due` is the time from `begin` to the first next instant of a job, and the time over which those are spread.
    """
    dialect = _dialect(database, begin)
    async with database.write() as connection, bulk_load.without_triggers(connection, "jobs", "jobs_added"):
        await connection.execute(_jobs(dialect, due), {"first": 1, "last": job_count})
    async with bulk_load.without_indexes(database, "runs", needed=run_count > _MANY):
        for first in range(1, run_count + 1, _BATCH):
            span = {"first": first, "last": min(first + _BATCH - 1, run_count)}
            async with database.write() as connection, bulk_load.without_triggers(connection, "runs", "runs_added"):
                await connection.execute(text(_runs(dialect, job_count, run_count)), span)
    async with database.write() as connection:  # with events, so that observers have a position
        await connection.execute(text(_waiting(dialect, job_count)), {"first": 1, "last": WAITING})
    async with database.write() as connection:
        await connection.execute(text(_ATTEMPTS))
        await connection.execute(text(_LOGS.format(data=dialect.bytes.format("a line of a log"))))
    await bulk_load.analyze(database)


def _jobs(dialect: _Dialect, due: tuple[timedelta, timedelta]) -> TextClause:
    until, over = (int(each.total_seconds()) for each in due)
    next_run_at = dialect.instant(f"{until} + n % {over}")
    own = {
        "name": "'job ' || n || CASE WHEN n % 1000 = 0 THEN ' Überweisung' ELSE ' report' END",
        "owner_id": f"CASE WHEN n % 1000 = 0 THEN '{RARE}' ELSE 'owner' || (n % {OWNERS}) END",
        "tags": _json(f"CASE WHEN n % 1000 = 0 THEN '[\"{RARE}\"]' ELSE '[\"common\"]' END", dialect),
        "status": "CASE WHEN n % 1000 = 1 THEN 'finished' WHEN n % 20 = 0 THEN 'paused' ELSE 'active' END",
        "priority": "n % 10",
        "last_run_status": "CASE WHEN n % 500 = 3 THEN 'failed' ELSE 'success' END",
        "failures_in_a_row": "CASE WHEN n % 500 = 3 THEN 2 ELSE 0 END",
        "next_run_at": f"CASE WHEN n % 20 = 0 OR n % 1000 = 1 THEN NULL ELSE {next_run_at} END",
    }
    named = ("anchor_at", "created_at", "updated_at", "last_run_at")
    instants = {name: dialect.instant("n % 86400") for name in named}
    names = [name for name in A_JOB if A_JOB[name] is not None] + [
        name for name in (*own, *instants) if name not in A_JOB or A_JOB[name] is None
    ]
    values = [own.get(name) or instants.get(name) or _literal(A_JOB[name], dialect) for name in names]
    return text(f"INSERT INTO jobs ({', '.join(names)}) SELECT {', '.join(values)} FROM {dialect.series}")  # noqa: S608


def _runs(dialect: _Dialect, job_count: int, run_count: int) -> str:
    at = dialect.instant(f"n * {_SECONDS / run_count!r}")
    end = dialect.instant(f"n * {_SECONDS / run_count!r} + 1 + n % 50")
    late = "CASE WHEN n % 1000 = 9 THEN 75.0 ELSE 0.001 * (n % 700) END"
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
        f"{at}, {at}, {end}, {late}, 1, 0, 0, 'w', CASE WHEN n % 50 = 1 THEN 1 ELSE 0 END, 0, false, 'c' "
        f"FROM {dialect.series}"
    )


def _waiting(dialect: _Dialect, job_count: int) -> str:
    at = dialect.instant(f"{_SECONDS} + n")
    return (
        f"INSERT INTO runs ({_COLUMNS}) SELECT 1 + n % {job_count}, 'queued', NULL, 'manual', {at}, NULL, 5, {at}, "  # noqa: S608
        f"{at}, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, 0, false, 'c' FROM {dialect.series}"
    )


def _literal(value: object, dialect: _Dialect) -> str:
    if isinstance(value, list | dict):
        return _json(f"'{json.dumps(value)}'", dialect)
    return str(value) if isinstance(value, int | float) else f"'{value}'"


def _json(written: str, dialect: _Dialect) -> str:
    return written if dialect.epoch == "{0}" else f"CAST({written} AS JSONB)"
