"""Frozen records of the stored rows, one class for each noun. Storage builds them; services and the API read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from scheduler_service.domain.calendars import CalendarShift
from scheduler_service.domain.dependencies import AfterMode
from scheduler_service.domain.firing import MisfirePolicy, OverlapPolicy
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus, Trigger, WorkerState
from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import Schedule, parse

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A stored job. `payload`, `limits` and `retry_policy` have the form in which their models are dumped.

    `left_out` names large fields that a list does not load. Of `payload` only the type is loaded then; others are
    empty. A list never loads `last_result`.
    """

    id: int
    name: str
    description: str
    owner_id: str
    external_key: str | None
    tags: list[str]
    status: JobStatus
    schedule_expr: str | None
    timezone: str
    dst_gap: Literal["run_after", "skip"]
    dst_fold: Literal["first", "second", "both"]
    anchor_at: datetime
    start_at: datetime | None
    end_at: datetime | None
    jitter_seconds: float
    calendars: list[str]
    calendar_shift: CalendarShift
    after: list[JsonObject]
    after_mode: AfterMode
    payload: JsonObject
    env: Mapping[str, str]
    args: JsonObject
    files: Mapping[str, Mapping[str, str]]
    secrets: Mapping[str, str]
    grants: list[str]
    environment_id: str | None
    limits: JsonObject
    timeout_seconds: float
    retry_policy: JsonObject
    priority: int
    overlap_policy: OverlapPolicy
    max_concurrency: int
    misfire_policy: MisfirePolicy
    misfire_grace_seconds: float
    catchup_limit: int
    start_deadline_seconds: float | None
    max_runs: int | None
    pause_after_failures: int | None
    concurrency_key: str | None
    pause_reason: str | None
    paused_until: datetime | None
    scheduled_runs: int
    failures_in_a_row: int
    next_run_at: datetime | None
    last_run_at: datetime | None
    last_run_status: RunStatus | None
    version: int
    schedule_version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    last_result: Any = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobVersion:
    """The definition of a job from one change to the next, and who made it.

    `changed` names the fields that differ from the version before. `replaced_at` None: it is the current version.
    """

    job_id: int
    version: int
    created_at: datetime
    replaced_at: datetime | None
    key_id: str | None
    caller_owner_id: str | None
    operation: str | None
    changed: list[str]
    definition: JsonObject


@dataclass(frozen=True, slots=True)
class JobState:
    """The part of a job that changes without a new version, and the columns that lists are sorted by."""

    id: int
    version: int
    updated_at: datetime
    created_at: datetime
    name: str
    priority: int
    environment_id: str | None
    status: JobStatus
    pause_reason: str | None
    paused_until: datetime | None
    next_run_at: datetime | None
    last_run_at: datetime | None
    last_run_status: RunStatus | None


@dataclass(frozen=True, slots=True)
class DueJob:
    """The part of a due job that the ledger needs. It has few columns, because thousands of jobs can be due at once."""

    id: int
    owner_id: str
    schedule_expr: str
    timezone: str
    dst_gap: Literal["run_after", "skip"]
    dst_fold: Literal["first", "second", "both"]
    anchor_at: datetime
    end_at: datetime | None
    jitter_seconds: float
    calendars: list[str]
    calendar_shift: CalendarShift
    priority: int
    tags: list[str]
    overlap_policy: OverlapPolicy
    max_concurrency: int
    misfire_policy: MisfirePolicy
    misfire_grace_seconds: float
    catchup_limit: int
    start_deadline_seconds: float | None
    max_runs: int | None
    pause_after_failures: int | None
    scheduled_runs: int
    failures_in_a_row: int
    next_run_at: datetime
    schedule_version: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One row of the ledger: a run, or an instant without a run and the reason."""

    id: int
    job_id: int
    owner_id: str
    job_version: int | None
    status: RunStatus
    reason: Reason | None
    message: str | None
    trigger: Trigger
    scheduled_for: datetime
    missed_until: datetime | None
    missed_count: int | None
    retry_of: int | None
    priority: int
    queued_at: datetime
    available_at: datetime
    start_by: datetime | None
    notified_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    lateness_seconds: float | None
    attempt: int
    retry_count: int
    rescue_count: int
    fault_count: int
    worker_id: str | None
    concurrency_slot: int | None
    concurrency_key: str | None
    owner_slot: int | None
    cancel_requested_at: datetime | None
    cancel_reason: Reason | None
    exit_code: int | None
    signal: int | None
    result: Any
    artifacts: list[JsonObject]
    log_bytes: int
    logs_truncated: bool
    isolation: JsonObject | None
    grants: list[str] | None
    usage: JsonObject | None
    args: JsonObject | None
    env: Mapping[str, str] | None
    requested_by: str | None
    correlation_id: str
    trace_parent: str | None


@dataclass(frozen=True, slots=True)
class RunState:
    """The part of a run by which a list orders it and recognises one that it has shown, and the name of its job."""

    id: int
    job_id: int
    job_name: str
    status: RunStatus
    scheduled_for: datetime
    finished_at: datetime | None
    log_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of a run."""

    run_id: int
    attempt: int
    log_offset: int | None
    worker_id: str
    started_at: datetime
    finished_at: datetime | None
    status: RunStatus
    reason: Reason | None
    message: str | None
    exit_code: int | None
    signal: int | None
    isolation: JsonObject | None
    usage: JsonObject | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One process that executes runs."""

    id: str
    host: str
    pid: int
    state: WorkerState
    slots: int
    busy: int
    beats: int
    started_at: datetime
    seen_at: datetime
    sandbox_level: str | None
    unfit_reason: str | None
    grants: list[str]
    tags: list[str]
    drain_requested_at: datetime | None
    monitor_name: str | None = None


def schedule_of(job: Job | DueJob) -> Schedule:
    """Return the schedule of a stored job that has one. Raise `InvalidInputError` if it cannot be parsed any more."""
    assert job.schedule_expr is not None, "a job that runs on demand is never due"  # noqa: S101 (of the caller)
    dst = DstPolicy(job.dst_gap, job.dst_fold)
    return parse(job.schedule_expr, timezone=job.timezone, dst=dst, anchor_at=job.anchor_at)
