"""The tables. Every rule that the database can hold stands here as a constraint; the migrations create them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

from scheduler_service.domain.run_state import ACTIVE, TERMINAL, JobStatus, Reason, RunStatus, Trigger, WorkerState
from scheduler_service.storage.types import BigId, EnumText, Json, UtcInstant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(column: str, values: Iterable[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in sorted(values))
    return f"{column} IN ({listed})"


WAITING = (RunStatus.QUEUED, RunStatus.RETRYING)


def with_status(*statuses: RunStatus) -> ColumnElement[bool]:
    """Return the condition that a run is in one of these states, in the words of the partial indexes below.

    A bound value would keep SQLite from using them: it takes a partial index only where it sees its condition. So would
    the type Boolean, which SQLAlchemy writes there as a comparison with 1.
    """
    return literal_column(_one_of("runs.status", statuses))


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


# Lists leave a value out if its JSON is long.
_MAY_BE_LARGE = {"may_be_large": True}

jobs = Table(
    "jobs",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("tags", Json, nullable=False),
    Column("status", EnumText(JobStatus), nullable=False),
    Column("schedule_expr", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("dst_gap", String(16), nullable=False),
    Column("dst_fold", String(16), nullable=False),
    # Where the steps of an interval are counted from: the commit of the schedule, never the last run.
    Column("anchor_at", UtcInstant, nullable=False),
    Column("start_at", UtcInstant),
    Column("end_at", UtcInstant),
    Column("jitter_seconds", Float, nullable=False),
    Column("payload", Json, nullable=False, info=_MAY_BE_LARGE),
    Column("env", Json, nullable=False, info=_MAY_BE_LARGE),
    Column("args", Json, nullable=False, info=_MAY_BE_LARGE),
    Column("limits", Json, nullable=False),
    Column("timeout_seconds", Float, nullable=False),
    Column("retry_policy", Json, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("overlap_policy", String(16), nullable=False),
    Column("max_concurrency", Integer, nullable=False),
    Column("misfire_policy", String(16), nullable=False),
    Column("misfire_grace_seconds", Float, nullable=False),
    Column("catchup_limit", Integer, nullable=False),
    Column("next_run_at", UtcInstant),
    # Of the ledger row that came last: kept here so that a list of jobs needs no look at ten million runs.
    Column("last_run_at", UtcInstant),
    Column("last_run_status", EnumText(RunStatus)),
    Column("version", Integer, nullable=False),
    # Rises with each change of what names the instants; the dispatcher's compare-and-set looks at it.
    Column("schedule_version", Integer, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
    Column("deleted_at", UtcInstant),
    CheckConstraint(_one_of("status", JobStatus), name="status"),
    CheckConstraint("status = 'active' OR next_run_at IS NULL", name="only_active_is_due"),
    Index("ix_jobs_due", "next_run_at", **_only("next_run_at IS NOT NULL")),
    Index("ix_jobs_owner", "owner_id", "id"),
    Index("ix_jobs_status", "status", **_only("deleted_at IS NULL")),
)

runs = Table(
    "runs",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("job_id", BigId, ForeignKey("jobs.id"), nullable=False),
    Column("status", EnumText(RunStatus), nullable=False),
    Column("reason", EnumText(Reason)),
    Column("message", Text),
    Column("trigger", EnumText(Trigger), nullable=False),
    Column("scheduled_for", UtcInstant, nullable=False),
    Column("missed_until", UtcInstant),
    Column("missed_count", Integer),
    Column("retry_of", BigId),
    Column("priority", Integer, nullable=False),
    Column("queued_at", UtcInstant, nullable=False),
    # Not to be claimed before: jitter and the wait before a retry.
    Column("available_at", UtcInstant, nullable=False),
    # When the doorbell last rang for it; NULL: it still has to.
    Column("notified_at", UtcInstant),
    # Of the latest attempt; the lateness is that of the first.
    Column("started_at", UtcInstant),
    Column("finished_at", UtcInstant),
    Column("lateness_seconds", Float),
    # Attempts begun so far; together with worker_id it fences out the stale.
    Column("attempt", Integer, nullable=False),
    Column("retry_count", Integer, nullable=False),
    Column("rescue_count", Integer, nullable=False),
    # Claims after which the sandbox could not begin. They are no attempts; the count helps to fence out the stale.
    Column("fault_count", Integer, nullable=False, server_default="0"),
    Column("worker_id", String(64)),
    # Which of the job's max_concurrency slots it holds while it runs; unique, so the database counts for us.
    Column("concurrency_slot", Integer),
    Column("cancel_requested_at", UtcInstant),
    Column("cancel_reason", EnumText(Reason)),
    Column("exit_code", Integer),
    Column("signal", Integer),
    Column("result", Json),
    Column("log_bytes", BigId, nullable=False),
    Column("logs_truncated", Boolean, nullable=False),
    Column("isolation", Json),
    Column("usage", Json),
    Column("correlation_id", String(128), nullable=False),
    # The W3C trace context of what asked for the run; NULL: nobody traces.
    Column("trace_parent", String(64)),
    CheckConstraint(_one_of("status", RunStatus), name="status"),
    # The migrations also allow the trigger `backfill`, which nothing writes.
    CheckConstraint(_one_of("trigger", Trigger), name="trigger"),
    CheckConstraint(f"({_one_of('status', TERMINAL)}) = (finished_at IS NOT NULL)", name="finished_when_terminal"),
    CheckConstraint(
        "status <> 'running' OR (worker_id IS NOT NULL AND started_at IS NOT NULL)", name="running_is_owned"
    ),
    CheckConstraint("concurrency_slot IS NULL OR status = 'running'", name="concurrency_slot_while_running"),
    CheckConstraint("status <> 'success' OR (exit_code IS NOT NULL AND exit_code = 0)", name="success_is_exit_0"),
    CheckConstraint("(status = 'missed') = (missed_count IS NOT NULL)", name="missed_is_counted"),
    Index("ux_runs_instant", "job_id", "scheduled_for", unique=True, **_only("trigger = 'schedule'")),
    Index(
        "ux_runs_concurrency_slot", "job_id", "concurrency_slot", unique=True, **_only("concurrency_slot IS NOT NULL")
    ),
    Index("ix_runs_queued", "priority", "available_at", **_only(_one_of("status", (RunStatus.QUEUED,)))),
    Index("ix_runs_unnotified", "available_at", **_only(_one_of("status", WAITING) + " AND notified_at IS NULL")),
    Index("ix_runs_active", "job_id", **_only(_one_of("status", ACTIVE))),
    Index("ix_runs_running", "worker_id", **_only(_one_of("status", (RunStatus.RUNNING,)))),
    Index("ix_runs_job", "job_id", "id"),
    Index("ix_runs_finished", "finished_at"),
    Index("ix_runs_scheduled", "scheduled_for"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", BigId, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    # Where its log begins, in bytes. A program can write whatever looks like the heading of an attempt.
    Column("log_offset", BigId),
    Column("worker_id", String(64), nullable=False),
    Column("started_at", UtcInstant, nullable=False),
    Column("finished_at", UtcInstant),
    Column("status", EnumText(RunStatus), nullable=False),
    Column("reason", EnumText(Reason)),
    Column("message", Text),
    Column("exit_code", Integer),
    Column("signal", Integer),
    Column("isolation", Json),
    Column("usage", Json),
    CheckConstraint(
        _one_of("status", (RunStatus.RUNNING, RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.CANCELLED)), name="status"
    ),
)

run_logs = Table(
    "run_logs",
    metadata,
    Column("run_id", BigId, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    # The position of the first byte of `data` in the whole log of the run.
    Column("at_byte", BigId, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("state", EnumText(WorkerState), nullable=False),
    Column("slots", Integer, nullable=False),
    Column("busy", Integer, nullable=False),
    # Observers watch whether this moves, on their own monotonic clocks; no wall clocks are compared.
    Column("beats", BigId, nullable=False),
    Column("started_at", UtcInstant, nullable=False),
    Column("seen_at", UtcInstant, nullable=False),
    Column("sandbox_level", String(16)),
    # Why it claims nothing: what its sandbox fails on. NULL: nothing.
    Column("unfit_reason", Text),
    CheckConstraint(_one_of("state", WorkerState), name="state"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    # Of the request's content: the same key with another content is a mistake that the caller must hear of.
    Column("fingerprint", String(64), nullable=False),
    Column("resource_id", BigId, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    UniqueConstraint("scope", "key"),
    Index("ix_idempotency_keys_created", "created_at"),
)
