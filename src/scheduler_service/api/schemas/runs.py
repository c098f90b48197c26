"""The response models of runs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, JsonValue

from scheduler_service.api import examples
from scheduler_service.domain.records import Attempt
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.http.answers import Answer, PageNumber, PageSize, Total, span_seconds
from scheduler_service.services.runs import RunDetail, RunView


class IsolationOut(Answer):
    """The isolation of a run."""

    model_config = ConfigDict(title="Isolation")

    level: Annotated[str, Field(description="Level of the sandbox: `strict`, `standard` or `none`.")]
    layers: Annotated[
        list[str], Field(description="Mechanisms of the kernel that enforced it, such as `landlock` and `seccomp`.")
    ]


class UsageOut(Answer):
    """The resources that an attempt used."""

    model_config = ConfigDict(title="Usage")

    cpu_seconds: Annotated[float, Field(description="Processor time of all processes, in seconds.")]
    max_rss_kb: Annotated[
        int,
        Field(
            description="Peak memory in KiB: of the largest process, or of all together where the kernel counts that."
        ),
    ]


class RunArtifactOut(Answer):
    """An artifact of a run, as the run shows it."""

    model_config = ConfigDict(title="Artifact of a run")

    name: Annotated[str, Field(description="Path of the file below the directory of artifacts.")]
    size: Annotated[int, Field(description="Size in bytes.")]


class RunOut(Answer):
    """One row of the ledger: a run, or an instant without a run and the reason."""

    model_config = ConfigDict(title="Run", json_schema_extra={"examples": [examples.RUN]})

    id: Annotated[int, Field(description="Identifier of the run.")]
    job_id: Annotated[int, Field(description="Identifier of the job.")]
    job_name: Annotated[str, Field(description="Name of the job.")]
    job_version: Annotated[
        int | None,
        Field(
            description="Version of the job that the latest attempt ran; before it begins, that when the run was "
            "queued. `GET /jobs/{id}/versions/{n}` shows it. Null: stored by an earlier version of the service."
        ),
    ]
    status: Annotated[
        RunStatus,
        Field(description="State of the run. `success`, `failed`, `cancelled`, `skipped` and `missed` are final."),
    ]
    reason: Annotated[
        Reason | None, Field(description="Why the run ended without success, or never started. Null: no reason.")
    ]
    message: Annotated[str | None, Field(description="The reason in a sentence. Null: nothing to add.")]
    trigger: Annotated[Trigger, Field(description="What created the run.")]
    scheduled_for: Annotated[
        datetime, Field(description="Instant of the schedule. For a manual run, the time of the request.")
    ]
    missed_until: Annotated[
        datetime | None,
        Field(description="Last instant of the range that a `missed` row stands for. Null for other rows."),
    ]
    missed_count: Annotated[
        int | None, Field(description="Number of instants that a `missed` row stands for. Null for other rows.")
    ]
    retry_of: Annotated[int | None, Field(description="Identifier of the run that this one repeats. Null: none.")]
    queued_at: Annotated[datetime, Field(description="When the run was created.")]
    available_at: Annotated[
        datetime, Field(description="Earliest start of the next attempt, after jitter or a wait before a retry.")
    ]
    started_at: Annotated[datetime | None, Field(description="Start of the latest attempt. Null: none has started.")]
    finished_at: Annotated[datetime | None, Field(description="End of the run. Null: it has not ended.")]
    duration_seconds: Annotated[
        float | None, Field(description="Duration of the latest attempt, in seconds. Null: it has not ended.")
    ]
    expected_seconds: Annotated[
        float | None,
        Field(
            description="Median duration of the latest successes of the job, in seconds. Null: there are none, or a "
            "list shows a run that has ended."
        ),
    ]
    lateness_seconds: Annotated[
        float | None,
        Field(description="Seconds from `scheduled_for` to the start of the first attempt. Null: none has started."),
    ]
    log_bytes: Annotated[int, Field(description="Length of the log so far, in bytes.")]
    logs: Annotated[
        str, Field(description="Standard output and standard error, in the order in which they were written.")
    ]
    logs_tail: Annotated[bool, Field(description="Whether `logs` holds only the end of the log that was kept.")]
    logs_truncated: Annotated[
        bool,
        Field(
            description="Whether the run wrote more than `limits.output_kb`, so that the middle of the log is missing."
        ),
    ]
    attempt: Annotated[int, Field(description="Number of attempts that have started.")]
    retry_count: Annotated[int, Field(description="Number of retries by `retry_policy`.")]
    exit_code: Annotated[int | None, Field(description="Exit code of the latest attempt. Null: it has not exited.")]
    signal: Annotated[int | None, Field(description="Number of the signal that killed the latest attempt. Null: none.")]
    result: Annotated[JsonValue, Field(description="Result of the payload, if its kind has one. Null: none.")]
    artifacts: Annotated[
        list[RunArtifactOut],
        Field(description="Files that the latest attempt left. `GET /runs/{id}/artifacts/{name}` downloads one."),
    ]
    worker: Annotated[
        str | None, Field(description="Identifier of the worker of the latest attempt. Null: none has started.")
    ]
    cancel_requested_at: Annotated[
        datetime | None, Field(description="When somebody asked the run to stop. Null: nobody has.")
    ]
    requested_by: Annotated[
        str | None,
        Field(
            description="Id of the key that requested the run; `API_KEY` is the key of the setting. Null: no key did."
        ),
    ]
    correlation_id: Annotated[
        str, Field(description="Follows the run through logs and requests. The code has it in its environment.")
    ]
    isolation: Annotated[
        IsolationOut | None, Field(description="Sandbox of the latest attempt. Null: none has started.")
    ]
    grants: Annotated[
        list[str] | None, Field(description="Grants that the latest attempt had. Null: none has started.")
    ]
    usage: Annotated[UsageOut | None, Field(description="Resources that the latest attempt used. Null: not known.")]
    args: Annotated[
        dict[str, JsonValue] | None,
        Field(description="Arguments that the request added to those of the job. Null: none."),
    ]
    env: Annotated[
        dict[str, str] | None, Field(description="Variables that the request added to those of the job. Null: none.")
    ]

    @classmethod
    def of(cls, view: RunView, **more: Any) -> Self:
        """Return a run as the API shows it."""
        run = view.run
        copied = {name: getattr(run, name) for name in _COPIED}
        return cls(
            **copied,
            **more,
            job_name=view.job_name,
            worker=run.worker_id,
            duration_seconds=span_seconds(run.started_at, run.finished_at),
            expected_seconds=view.expected_seconds,
            logs=view.logs,
            logs_tail=view.is_tail,
        )

    @classmethod
    def document(cls, view: RunView) -> dict[str, Any]:
        """Return a run as a list shows it: as `of` does, but without checking again what was checked when stored."""
        run = view.run
        computed = {
            "job_name": view.job_name,
            "worker": run.worker_id,
            "duration_seconds": span_seconds(run.started_at, run.finished_at),
            "expected_seconds": view.expected_seconds,
            "logs": view.logs,
            "logs_tail": view.is_tail,
            "isolation": None if run.isolation is None else _members(IsolationOut, run.isolation),
            "usage": None if run.usage is None else _members(UsageOut, run.usage),
            "artifacts": [_members(RunArtifactOut, each) for each in run.artifacts],
        }
        return {name: computed[name] if name in computed else getattr(run, name) for name in cls.model_fields}


def _members(shown: type[Answer], stored: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: stored[name] for name in shown.model_fields}


_COPIED = (
    "id", "job_id", "job_version", "status", "reason", "message", "trigger", "scheduled_for", "missed_until",
    "missed_count", "retry_of", "queued_at", "available_at", "started_at", "finished_at", "lateness_seconds",
    "logs_truncated", "attempt", "retry_count", "exit_code", "signal", "result", "artifacts", "cancel_requested_at",
    "correlation_id", "isolation", "grants", "usage", "args", "env", "log_bytes", "requested_by",
)  # fmt: skip


class RunPage(Answer):
    """One page of a list of runs, newest first."""

    runs: Annotated[list[RunOut], Field(description="The runs of this page, newest first.")]
    total: Total
    page: PageNumber
    size: PageSize


class AttemptOut(Answer):
    """One attempt of a run."""

    model_config = ConfigDict(title="Attempt")

    attempt: Annotated[int, Field(description="Number of the attempt, counted from 1.")]
    log_offset: Annotated[
        int | None,
        Field(description="Where its log begins, in bytes. Null: stored by an earlier version of the service."),
    ]
    status: Annotated[RunStatus, Field(description="State of the attempt.")]
    reason: Annotated[Reason | None, Field(description="Why the attempt ended without success. Null: no reason.")]
    message: Annotated[str | None, Field(description="The reason in a sentence. Null: nothing to add.")]
    started_at: Annotated[datetime, Field(description="Start of the attempt.")]
    finished_at: Annotated[datetime | None, Field(description="End of the attempt. Null: it has not ended.")]
    duration_seconds: Annotated[
        float | None, Field(description="Duration of the attempt, in seconds. Null: it has not ended.")
    ]
    exit_code: Annotated[int | None, Field(description="Exit code. Null: it has not exited.")]
    signal: Annotated[int | None, Field(description="Number of the signal that killed it. Null: none.")]
    worker: Annotated[str, Field(description="Identifier of the worker.")]
    isolation: Annotated[IsolationOut | None, Field(description="Sandbox of the attempt. Null: not known yet.")]
    usage: Annotated[UsageOut | None, Field(description="Resources that the attempt used. Null: not known.")]

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """Return an attempt as the API shows it."""
        copied = {name: getattr(attempt, name) for name in cls.model_fields if hasattr(attempt, name)}
        duration_seconds = span_seconds(attempt.started_at, attempt.finished_at)
        return cls(**copied, worker=attempt.worker_id, duration_seconds=duration_seconds)


class RunWhole(RunOut):
    """A run with its complete retained log and all attempts."""

    model_config = ConfigDict(title="Run with attempts", json_schema_extra={"examples": [examples.RUN_WHOLE]})

    attempts: Annotated[list[AttemptOut], Field(description="All attempts of the run, oldest first.")]

    @classmethod
    def of_detail(cls, detail: RunDetail) -> Self:
        """Return a run with its log as the API shows it."""
        return cls.of(detail.view, attempts=[AttemptOut.of(attempt) for attempt in detail.attempts])


async def in_pieces(run: RunWhole, rest_of_log: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a run as JSON. The rest of its log is streamed, so that a long log is never in memory as a whole."""
    document = run.model_dump_json(exclude={"logs"}).encode()
    yield document[:-1] + b',"logs":"' + _within_quotes(run.logs)
    async for piece in rest_of_log:
        yield _within_quotes(piece.decode("utf-8", "replace"))
    yield b'"}\n'


def _within_quotes(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()
