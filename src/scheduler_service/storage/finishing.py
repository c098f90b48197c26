"""Ends many runs at once: the runs, their attempts, their jobs, and the rest of their logs.

Theory of operation. Ends that wait are written together, so that they share a commit. On PostgreSQL they are one
statement of the same steps as `transitions.finish`: lock the jobs in the order of their ids, move the runs whose lease
is still held, end their attempts, append the rest of the logs, and store the outcome with the jobs. On SQLite they are
the calls of `finish` in one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import column, text

from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage import logs, transitions
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.dialect import is_sqlite
from scheduler_service.storage.direct import AnyConnection
from scheduler_service.storage.logs import LogPiece
from scheduler_service.storage.transitions import AttemptEnd
from scheduler_service.storage.types import BigId

_OF_RUN = {
    "job_id": "bigint",
    "attempt": "integer",
    "worker_id": "text",
    "fault_count": "integer",
    "started_at": "timestamptz",
}
_JSON = dict.fromkeys(("result", "last_result", "artifacts", "isolation", "usage"), "text")
_OF_END = {
    "status": "text",
    "reason": "text",
    "message": "text",
    "exit_code": "integer",
    "signal": "integer",
    "logs_truncated": "boolean",
    **_JSON,
}
_ENDS = {
    **_OF_RUN,
    **_OF_END,
    "run_id": "bigint",
    "finished_at": "timestamptz",
    "at_byte": "bigint",
    "log": "bytea",
}
_ARRAYS = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _ENDS.items())
_finish_all = text(f"""
WITH ended AS (
    SELECT * FROM unnest({_ARRAYS}) AS ended ({", ".join(_ENDS)})
), locked AS (
    SELECT id FROM jobs WHERE id IN (SELECT job_id FROM ended) ORDER BY id FOR NO KEY UPDATE
), moved AS (
    UPDATE runs SET status = ended.status, reason = ended.reason, message = ended.message,
        exit_code = ended.exit_code, signal = ended.signal, logs_truncated = ended.logs_truncated,
        result = CAST(ended.result AS jsonb), isolation = CAST(ended.isolation AS jsonb),
        usage = CAST(ended.usage AS jsonb), artifacts = COALESCE(CAST(ended.artifacts AS jsonb), runs.artifacts),
        finished_at = ended.finished_at, log_bytes = runs.log_bytes + length(ended.log),
        concurrency_slot = NULL, notified_at = NULL
    FROM ended JOIN locked ON locked.id = ended.job_id
    WHERE runs.id = ended.run_id AND runs.status IN ('running') AND runs.attempt = ended.attempt
        AND runs.worker_id = ended.worker_id AND runs.fault_count = ended.fault_count
        AND (length(ended.log) = 0 OR runs.log_bytes = ended.at_byte)
    RETURNING runs.id
), won AS (
    SELECT ended.* FROM ended JOIN moved ON moved.id = ended.run_id
), closed AS (
    UPDATE attempts SET status = won.status, reason = won.reason, message = won.message, exit_code = won.exit_code,
        signal = won.signal, isolation = CAST(won.isolation AS jsonb), usage = CAST(won.usage AS jsonb),
        finished_at = won.finished_at
    FROM won WHERE attempts.run_id = won.run_id AND attempts.attempt = won.attempt
), appended AS (
    INSERT INTO run_logs (run_id, at_byte, data) SELECT run_id, at_byte, log FROM won WHERE length(log) > 0
), latest AS (
    SELECT DISTINCT ON (job_id) * FROM won ORDER BY job_id, started_at DESC, run_id DESC
), noted AS (
    UPDATE jobs SET
        last_run_at = GREATEST(last_run_at, latest.started_at),
        last_run_status = CASE WHEN last_run_at > latest.started_at THEN last_run_status ELSE latest.status END,
        last_result = CASE WHEN last_run_at > latest.started_at OR latest.last_result IS NULL THEN jobs.last_result
            ELSE CAST(latest.last_result AS jsonb) END,
        failures_in_a_row = CASE latest.status WHEN 'success' THEN 0 WHEN 'failed' THEN failures_in_a_row + 1
            ELSE failures_in_a_row END
    FROM latest WHERE jobs.id = latest.job_id
)
SELECT id FROM moved
""").columns(column("id", BigId))  # noqa: S608 (names of this module)


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a run at an instant, with the rest of its log."""

    claimed: Claimed
    end: AttemptEnd
    at: datetime
    rest: LogPiece

    @property
    def is_plain(self) -> bool:
        """Return whether ends like this one can be written together whatever their order: nothing depends on it."""
        return self.end.status is RunStatus.SUCCESS and self.end.last_result is None

    @property
    def can_be_shared(self) -> bool:
        """Return whether `finish_all` writes such an end: it cannot pause its job."""
        return self.end.status is not RunStatus.FAILED or self.claimed.job.pause_after_failures is None


async def finish_all(connection: AnyConnection, ends: Sequence[Ending]) -> set[int]:
    """End runs as `transitions.finish` does. Return the ids of those whose lease was still held.

    Of two ends of one job, both must be plain.
    """
    if is_sqlite(connection):
        return {each.claimed.run.id for each in ends if await finish_with_log(connection, each)}
    rows = [_row(each) for each in ends]
    arrays = {name: [row[name] for row in rows] for name in _ENDS}
    return set((await connection.execute(_finish_all, arrays)).scalars())


async def finish_with_log(connection: AnyConnection, ending: Ending) -> bool:
    """Append the rest of the log, and end the run. Return False if the lease is lost."""
    if not await logs.append_rest(connection, ending.claimed.lease, ending.rest):
        return False
    return await transitions.finish(connection, ending.claimed, ending.end, ending.at)


def _row(ending: Ending) -> dict[str, Any]:
    run, end = ending.claimed.run, ending.end
    row: dict[str, Any] = {name: getattr(run, name) for name in _OF_RUN} | {
        name: getattr(end, name) for name in _OF_END
    }
    for name in _JSON:
        row[name] = None if row[name] is None else json.dumps(row[name])
    return {**row, "run_id": run.id, "finished_at": ending.at, "at_byte": ending.rest.at_byte, "log": ending.rest.data}
