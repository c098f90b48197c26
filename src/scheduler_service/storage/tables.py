"""The tables. Constraints express every rule that the database can check; migrations create them."""

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
    literal_column,
    text,
)

from scheduler_service.domain.listing import LATE_SECONDS
from scheduler_service.domain.run_state import ACTIVE, TERMINAL, JobStatus, Reason, RunStatus, Trigger
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


def one_of(column: str, values: Iterable[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in sorted(values))
    return f"{column} IN ({listed})"


WAITING = (RunStatus.QUEUED, RunStatus.RETRYING)
UNSUCCESSFUL = (RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.SKIPPED, RunStatus.MISSED)


def with_status(*statuses: RunStatus) -> ColumnElement[bool]:
    """Return the condition that a run has one of these states, with the text of the partial indexes below.

    SQLite uses a partial index only if the query contains its condition literally. A bound value, or a comparison with
    1 as SQLAlchemy writes for Boolean, would prevent that.
    """
    return literal_column(one_of("runs.status", statuses))


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


_NOT_BEGUN = one_of("status", (RunStatus.QUEUED,)) + " AND attempt = 0 AND start_by IS NOT NULL"
_HOLDS_OWNER_SLOT = one_of("status", (RunStatus.RUNNING,)) + " AND owner_slot IS NOT NULL"


def has_start_deadline() -> ColumnElement[bool]:
    """Return the condition that a run waits for its first attempt and has a deadline, with the text of its index."""
    return literal_column(
        f"{one_of('runs.status', (RunStatus.QUEUED,))} AND runs.attempt = 0 AND runs.start_by IS NOT NULL"
    )


# Lists leave a value out if its JSON is long.
_MAY_BE_LARGE = {"may_be_large": True}

jobs = Table(
    "jobs",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    # The name of the job in files of its owner. NULL: it has none.
    Column("external_key", Text),
    Column("tags", Json, nullable=False),
    Column("status", EnumText(JobStatus), nullable=False),
    # NULL: the job runs on demand.
    Column("schedule_expr", Text),
    Column("timezone", Text, nullable=False),
    Column("dst_gap", String(16), nullable=False),
    Column("dst_fold", String(16), nullable=False),
    # Intervals count from here: the commit of the schedule, never the last run.
    Column("anchor_at", UtcInstant, nullable=False),
    Column("start_at", UtcInstant),
    Column("end_at", UtcInstant),
    Column("jitter_seconds", Float, nullable=False),
    Column("calendars", Json, nullable=False, server_default="[]"),
    Column("calendar_shift", String(16), nullable=False, server_default="skip"),
    Column("after", Json, nullable=False, server_default="[]"),
    Column("after_mode", String(8), nullable=False, server_default="all"),
    Column("payload", Json, nullable=False, info=_MAY_BE_LARGE),
    Column("env", Json, nullable=False, info=_MAY_BE_LARGE),
    Column("args", Json, nullable=False, info=_MAY_BE_LARGE),
    Column("files", Json, nullable=False, server_default="{}", info=_MAY_BE_LARGE),
    Column("secrets", Json, nullable=False, server_default="{}"),
    Column("grants", Json, nullable=False, server_default="[]"),
    # The lock of the requirements of the payload. NULL: it has none.
    Column("environment_id", String(32)),
    Column("limits", Json, nullable=False),
    Column("timeout_seconds", Float, nullable=False),
    Column("retry_policy", Json, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("overlap_policy", String(16), nullable=False),
    Column("max_concurrency", Integer, nullable=False),
    Column("misfire_policy", String(16), nullable=False),
    Column("misfire_grace_seconds", Float, nullable=False),
    Column("catchup_limit", Integer, nullable=False),
    Column("start_deadline_seconds", Float),
    Column("max_runs", Integer),
    Column("pause_after_failures", Integer),
    Column("concurrency_key", String(64)),
    Column("pause_reason", Text),
    # A dispatcher resumes the paused job at this instant. NULL: only a user does.
    Column("paused_until", UtcInstant),
    # Runs that the schedule has created since it was last changed. `max_runs` limits them.
    Column("scheduled_runs", Integer, nullable=False, server_default="0"),
    # Failed runs since the last success or resume. `pause_after_failures` limits them.
    Column("failures_in_a_row", Integer, nullable=False, server_default="0"),
    Column("next_run_at", UtcInstant),
    # Copied from the latest ledger row, so that a list of jobs does not search millions of runs.
    Column("last_run_at", UtcInstant),
    Column("last_run_status", EnumText(RunStatus)),
    # The last result of a run that succeeded, for the next run. Kept even when that run's history is deleted.
    Column("last_result", Json),
    Column("version", Integer, nullable=False),
    # Incremented by each change of the schedule. The dispatcher's compare-and-set checks it.
    Column("schedule_version", Integer, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
    Column("deleted_at", UtcInstant),
    CheckConstraint(one_of("status", JobStatus), name="status"),
    CheckConstraint("status = 'active' OR next_run_at IS NULL", name="only_active_is_due"),
    Index("ix_jobs_paused", "paused_until", **_only("paused_until IS NOT NULL")),
    Index("ix_jobs_due", "next_run_at", "id", **_only("next_run_at IS NOT NULL")),
    Index("ix_jobs_idle", "id", **_only("next_run_at IS NULL")),
    Index("ix_jobs_owner", "owner_id", "id"),
    Index(
        "ux_jobs_external_key",
        "external_key",
        "owner_id",
        unique=True,
        **_only("external_key IS NOT NULL AND deleted_at IS NULL"),
    ),
    Index("ix_jobs_environment", "environment_id", **_only("environment_id IS NOT NULL")),
    Index("ix_jobs_status", "status", "id", **_only("deleted_at IS NULL")),
    # PostgreSQL writes to it only if the status differs from that of the run before.
    Index("ix_jobs_last_status", "last_run_status", "id", **_only("deleted_at IS NULL")),
)

runs = Table(
    "runs",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("job_id", BigId, ForeignKey("jobs.id"), nullable=False),
    # The owner of the job, by whom claims divide slots. Empty in runs that ended before the column existed.
    Column("owner_id", Text, nullable=False, server_default=""),
    # The version of the job when the latest attempt began, before that when the run was queued. NULL: not known.
    Column("job_version", Integer),
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
    # The earliest claim: after the jitter or the retry delay.
    Column("available_at", UtcInstant, nullable=False),
    # A run whose first attempt has not begun by then is missed. NULL: it may begin at any time.
    Column("start_by", UtcInstant),
    # When workers were last notified; NULL: not yet.
    Column("notified_at", UtcInstant),
    # Of the latest attempt; the lateness is that of the first attempt.
    Column("started_at", UtcInstant),
    Column("finished_at", UtcInstant),
    Column("lateness_seconds", Float),
    # Attempts started so far. Part of the lease, which fences out stale attempts.
    Column("attempt", Integer, nullable=False),
    Column("retry_count", Integer, nullable=False),
    Column("rescue_count", Integer, nullable=False),
    # Claims after which the sandbox could not start. They are not attempts; the count is part of the lease.
    Column("fault_count", Integer, nullable=False, server_default="0"),
    Column("worker_id", String(64)),
    # The concurrency slot of the job that the run holds while it runs. A unique index enforces max_concurrency.
    Column("concurrency_slot", Integer),
    # The key of that slot beside the job itself: jobs of one owner can share their slots. NULL: they do not.
    Column("concurrency_key", Text),
    # The slot of its owner that the run holds while it runs, if a quota limits them. A unique index enforces the quota
    # against claims that do not see each other; SQLite has none of those.
    Column("owner_slot", Integer),
    Column("cancel_requested_at", UtcInstant),
    Column("cancel_reason", EnumText(Reason)),
    Column("exit_code", Integer),
    Column("signal", Integer),
    Column("result", Json),
    # Name and size of each artifact. The feature `artifacts` has the rest.
    Column("artifacts", Json, nullable=False, server_default="[]"),
    Column("log_bytes", BigId, nullable=False),
    Column("logs_truncated", Boolean, nullable=False),
    Column("isolation", Json),
    # Those that the job had when the latest attempt began. NULL: none has begun.
    Column("grants", Json),
    Column("usage", Json),
    # What the request of a manual run added to those of the job. NULL: nothing.
    Column("args", Json),
    Column("env", Json),
    # The id of the key that requested a run. NULL: nobody did, or an earlier version of the service queued it.
    Column("requested_by", Text),
    Column("correlation_id", String(128), nullable=False),
    # The W3C trace context of the request that created the run; NULL: tracing is off.
    Column("trace_parent", String(64)),
    CheckConstraint(one_of("status", RunStatus), name="status"),
    # The migrations also allow triggers that nothing writes yet.
    CheckConstraint(one_of("trigger", Trigger), name="trigger"),
    CheckConstraint(f"({one_of('status', TERMINAL)}) = (finished_at IS NOT NULL)", name="finished_when_terminal"),
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
    Index(
        "ux_runs_concurrency_key",
        "concurrency_key",
        "concurrency_slot",
        unique=True,
        **_only("concurrency_slot IS NOT NULL AND concurrency_key IS NOT NULL"),
    ),
    Index(
        "ux_runs_backfill",
        "job_id",
        "scheduled_for",
        unique=True,
        **_only("\"trigger\" = 'backfill' AND " + one_of("status", ACTIVE)),
    ),
    Index("ix_runs_repeated", "job_id", "scheduled_for", **_only("\"trigger\" IN ('backfill', 'retry')")),
    Index("ix_runs_start_by", "start_by", **_only(_NOT_BEGUN)),
    # `ix_runs_queued` is made by a migration: (owner_id, priority DESC, available_at, id) of queued runs, the order of
    # claims.
    Index("ux_runs_owner_slot", "owner_id", "owner_slot", unique=True, **_only(_HOLDS_OWNER_SLOT)),
    Index("ix_runs_unnotified", "available_at", **_only(one_of("status", WAITING) + " AND notified_at IS NULL")),
    Index("ix_runs_active", "job_id", **_only(one_of("status", ACTIVE))),
    Index("ix_runs_running", "worker_id", **_only(one_of("status", (RunStatus.RUNNING,)))),
    Index("ix_runs_job", "job_id", "id"),
    Index("ix_runs_finished", "finished_at", **_only("finished_at IS NOT NULL")),
    Index("ix_runs_scheduled", "scheduled_for"),
    # For lists of the few that are not the ordinary case; the newest of the others are found in the order of ids.
    Index("ix_runs_unsuccessful", "status", "id", **_only(one_of("status", UNSUCCESSFUL))),
    # The second condition, which is always true, keeps SQLite from using it for lists in the order of ids.
    Index(
        "ix_runs_unsuccessful_at",
        "status",
        "scheduled_for",
        "id",
        **_only(one_of("status", UNSUCCESSFUL) + " AND scheduled_for IS NOT NULL"),
    ),
    Index("ix_runs_unscheduled", "trigger", "id", **_only("\"trigger\" <> 'schedule'")),
    Index("ix_runs_reason", "reason", "id", **_only("reason IS NOT NULL")),
    Index("ix_runs_late", "id", **_only(f"lateness_seconds >= {LATE_SECONDS}")),
)

# Removed with their runs: on SQLite by foreign keys, on PostgreSQL by a trigger, for all runs of a statement together.
attempts = Table(
    "attempts",
    metadata,
    Column("run_id", BigId, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    # The byte at which the attempt's log starts. It cannot be found in the log, where a program can print such a
    # heading.
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
        one_of("status", (RunStatus.RUNNING, RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.CANCELLED)), name="status"
    ),
)

run_logs = Table(
    "run_logs",
    metadata,
    Column("run_id", BigId, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    # The position of the first byte of `data` in the run's log.
    Column("at_byte", BigId, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
