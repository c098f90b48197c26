"""Reads the database after each step, and keeps what it has seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from scheduler_service.domain.run_state import TERMINAL

MICROSECONDS = 1_000_000
_ENDED = ", ".join(f"'{status}'" for status in sorted(TERMINAL))
_ENDED_RUNS = f"SELECT id, status, reason, finished_at, attempt, result FROM runs WHERE status IN ({_ENDED})"  # noqa: S608 (our own)


@dataclass(frozen=True, slots=True)
class JobState:
    """A job as a step left it. Instants are in microseconds."""

    id: int
    status: str
    version: int
    schedule_version: int
    schedule_expr: str | None
    timezone: str
    anchor_at: int
    start_at: int | None
    end_at: int | None
    max_runs: int | None
    next_run_at: int | None
    paused_until: int | None
    deleted_at: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """When a job was seen in a new state, the last instant that had a row then, and how often it had been finished."""

    at: int
    last_row: int
    finished: int
    state: JobState


_COLUMNS = ", ".join(field.name for field in fields(JobState))


class Watch:
    """The history of each job, and each violation that a single step shows."""

    def __init__(self, path: Path) -> None:
        """Read the database at `path` by a connection that cannot write."""
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        self._data_version: int | None = None
        self._ended: dict[int, tuple[Any, ...]] = {}
        self.history: dict[int, list[Seen]] = {}
        self.violations: list[str] = []

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._connection.execute(query, values).fetchall()

    def look(self, now: int) -> None:
        """Note what the last step has changed, at the instant `now`."""
        (data_version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if data_version == self._data_version:
            return
        self._data_version = data_version
        for row in self.rows(f"SELECT {_COLUMNS} FROM jobs"):  # noqa: S608 (our own names)
            state = JobState(*row)
            seen = self.history.setdefault(state.id, [])
            if not seen or seen[-1].state != state:
                seen.append(Seen(now, self._last_row(state.id), self._finished(state.id), state))
        self.violations += self._moved_ends()
        self.violations += self._overfull()

    def _last_row(self, job_id: int) -> int:
        query = (
            "SELECT coalesce(max(coalesce(missed_until, scheduled_for)), 0) FROM runs "
            "WHERE job_id = ? AND \"trigger\" = 'schedule'"
        )
        return int(self.rows(query, job_id)[0][0])

    def _finished(self, job_id: int) -> int:
        return len(self.rows("SELECT 1 FROM events WHERE job_id = ? AND change = 'finished'", job_id))

    def _moved_ends(self) -> Iterator[str]:
        """Yield each run that has left its final state."""
        ended = self.rows(_ENDED_RUNS)
        now_ended = {row[0]: row for row in ended}
        for run_id, row in self._ended.items():
            if now_ended.get(run_id) != row:
                yield f"run {run_id} left its final state: {row} became {now_ended.get(run_id)}"
        self._ended = now_ended

    def _overfull(self) -> Iterator[str]:
        """Yield each job that executes more runs than it may, and was never changed."""
        query = (
            "SELECT j.id, count(*), j.max_concurrency FROM runs r JOIN jobs j ON j.id = r.job_id "
            "WHERE r.status = 'running' AND j.overlap_policy <> 'allow' AND j.version = 1 "
            "GROUP BY j.id, j.max_concurrency HAVING count(*) > j.max_concurrency"
        )
        for job_id, count, most in self.rows(query):
            yield f"job {job_id} executes {count} runs at once, and may {most}"
