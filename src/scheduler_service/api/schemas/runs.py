"""Runs, as the API shows them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, JsonValue

from scheduler_service.api import examples
from scheduler_service.domain.records import Attempt
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.http.answers import Answer, span_seconds
from scheduler_service.services.runs import RunDetail, RunView


class IsolationOut(Answer):
    """What kept a run apart from everything else."""

    model_config = ConfigDict(title="Isolation")

    level: str
    layers: list[str]


class UsageOut(Answer):
    """What an attempt used."""

    model_config = ConfigDict(title="Usage")

    cpu_seconds: float
    max_rss_kb: Annotated[
        int, Field(description="The peak memory of its largest process, or of all together where that is known.")
    ]


class RunOut(Answer):
    """One row of the ledger: a run, or an instant that became none and why."""

    model_config = ConfigDict(title="Run", json_schema_extra={"examples": [examples.RUN]})

    id: int
    job_id: int
    status: Annotated[RunStatus, Field(description="The last five never change again.")]
    reason: Annotated[Reason | None, Field(description="Why it ended otherwise than in success, or never began.")]
    message: Annotated[str | None, Field(description="The reason in a sentence, where there is more to say.")]
    trigger: Trigger
    scheduled_for: Annotated[datetime, Field(description="The instant that the schedule named.")]
    missed_until: Annotated[
        datetime | None, Field(description="Last instant of the range that a `missed` row stands for.")
    ]
    missed_count: Annotated[int | None, Field(description="How many instants a `missed` row stands for.")]
    retry_of: Annotated[int | None, Field(description="The run that this one repeats.")]
    queued_at: datetime
    available_at: Annotated[datetime, Field(description="When it may (again) begin.")]
    started_at: Annotated[datetime | None, Field(description="When the latest attempt began.")]
    finished_at: datetime | None
    duration_seconds: Annotated[float | None, Field(description="Of the latest attempt.")]
    lateness_seconds: Annotated[
        float | None, Field(description="From `scheduled_for` to the begin of the first attempt.")
    ]
    logs: Annotated[str, Field(description="What it wrote, standard output and error together.")]
    logs_tail: Annotated[bool, Field(description="Whether `logs` holds only the end of what was kept.")]
    logs_truncated: Annotated[bool, Field(description="Whether it wrote more than was kept.")]
    attempt: Annotated[int, Field(description="How many attempts have begun.")]
    retry_count: int
    exit_code: int | None
    signal: int | None
    result: Annotated[JsonValue, Field(description="The answer, for payloads that have one.")]
    worker: str | None
    cancel_requested_at: datetime | None
    correlation_id: str
    isolation: IsolationOut | None
    usage: UsageOut | None

    @classmethod
    def of(cls, view: RunView, **more: Any) -> Self:
        """Show a run."""
        run = view.run
        copied = {name: getattr(run, name) for name in _COPIED}
        return cls(
            **copied,
            **more,
            worker=run.worker_id,
            duration_seconds=span_seconds(run.started_at, run.finished_at),
            logs=view.logs,
            logs_tail=view.is_tail,
        )


_COPIED = (
    "id", "job_id", "status", "reason", "message", "trigger", "scheduled_for", "missed_until", "missed_count",
    "retry_of", "queued_at", "available_at", "started_at", "finished_at", "lateness_seconds", "logs_truncated",
    "attempt", "retry_count", "exit_code", "signal", "result", "cancel_requested_at", "correlation_id", "isolation",
    "usage",
)  # fmt: skip


class RunPage(Answer):
    """One page of a list of runs, newest first."""

    runs: list[RunOut]
    total: Annotated[int, Field(description="How many runs the whole list has.")]
    page: int
    size: int


class AttemptOut(Answer):
    """One try at a run."""

    model_config = ConfigDict(title="Attempt")

    attempt: Annotated[int, Field(description="Counted from 1.")]
    log_offset: Annotated[
        int | None,
        Field(description="The byte of the log at which it begins; null for attempts of earlier versions."),
    ]
    status: RunStatus
    reason: Reason | None
    message: str | None
    started_at: datetime
    finished_at: datetime | None
    duration_seconds: float | None
    exit_code: int | None
    signal: int | None
    worker: str
    isolation: IsolationOut | None
    usage: UsageOut | None

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """Show an attempt."""
        copied = {name: getattr(attempt, name) for name in cls.model_fields if hasattr(attempt, name)}
        duration_seconds = span_seconds(attempt.started_at, attempt.finished_at)
        return cls(**copied, worker=attempt.worker_id, duration_seconds=duration_seconds)


class RunWhole(RunOut):
    """A run with all that was kept of its log, and all its attempts."""

    model_config = ConfigDict(title="Run with attempts", json_schema_extra={"examples": [examples.RUN_WHOLE]})

    attempts: list[AttemptOut]

    @classmethod
    def of_detail(cls, detail: RunDetail) -> Self:
        """Show a run whole."""
        return cls.of(detail.view, attempts=[AttemptOut.of(attempt) for attempt in detail.attempts])


async def in_pieces(run: RunWhole, rest_of_log: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a run as JSON with the rest of its log behind what it holds, so that a long log is never all in memory."""
    document = run.model_dump_json(exclude={"logs"}).encode()
    yield document[:-1] + b',"logs":"' + _within_quotes(run.logs)
    async for piece in rest_of_log:
        yield _within_quotes(piece.decode("utf-8", "replace"))
    yield b'"}\n'


def _within_quotes(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()
