"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, Json, UtcInstant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them, and let the database guard the ledger."""
    op.create_table(
        "idempotency_keys",
        sa.Column("id", BigId, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("resource_id", BigId, nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint("scope", "key", name=op.f("uq_idempotency_keys_scope_key")),
    )
    op.create_index("ix_idempotency_keys_created", "idempotency_keys", ["created_at"], unique=False)

    op.create_table(
        "jobs",
        sa.Column("id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("status", sa.String(24), nullable=False),
        sa.Column("schedule_expr", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("dst_gap", sa.String(length=16), nullable=False),
        sa.Column("dst_fold", sa.String(length=16), nullable=False),
        sa.Column("anchor_at", UtcInstant(), nullable=False),
        sa.Column("start_at", UtcInstant(), nullable=True),
        sa.Column("end_at", UtcInstant(), nullable=True),
        sa.Column("jitter_seconds", sa.Float(), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("env", Json, nullable=False),
        sa.Column("args", Json, nullable=False),
        sa.Column("limits", Json, nullable=False),
        sa.Column("timeout_seconds", sa.Float(), nullable=False),
        sa.Column("retry_policy", Json, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("overlap_policy", sa.String(length=16), nullable=False),
        sa.Column("max_concurrency", sa.Integer(), nullable=False),
        sa.Column("misfire_policy", sa.String(length=16), nullable=False),
        sa.Column("misfire_grace_seconds", sa.Float(), nullable=False),
        sa.Column("catchup_limit", sa.Integer(), nullable=False),
        sa.Column("next_run_at", UtcInstant(), nullable=True),
        sa.Column("last_run_at", UtcInstant(), nullable=True),
        sa.Column("last_run_status", sa.String(24), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("schedule_version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.Column("deleted_at", UtcInstant(), nullable=True),
        sa.CheckConstraint("status = 'active' OR next_run_at IS NULL", name=op.f("ck_jobs_only_active_is_due")),
        sa.CheckConstraint("status IN ('active', 'finished', 'paused')", name=op.f("ck_jobs_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_due", "jobs", ["next_run_at"], unique=False, **_only(sa.text("next_run_at IS NOT NULL")))
    op.create_index("ix_jobs_owner", "jobs", ["owner_id", "id"], unique=False)

    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("busy", sa.Integer(), nullable=False),
        sa.Column("beats", BigId, nullable=False),
        sa.Column("started_at", UtcInstant(), nullable=False),
        sa.Column("seen_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("state IN ('alive', 'dead', 'draining')", name=op.f("ck_workers_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "runs",
        sa.Column("id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("status", sa.String(24), nullable=False),
        sa.Column("reason", sa.String(24), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("trigger", sa.String(24), nullable=False),
        sa.Column("scheduled_for", UtcInstant(), nullable=False),
        sa.Column("missed_until", UtcInstant(), nullable=True),
        sa.Column("missed_count", sa.Integer(), nullable=True),
        sa.Column("retry_of", BigId, nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("queued_at", UtcInstant(), nullable=False),
        sa.Column("available_at", UtcInstant(), nullable=False),
        sa.Column("rung_at", UtcInstant(), nullable=True),
        sa.Column("started_at", UtcInstant(), nullable=True),
        sa.Column("finished_at", UtcInstant(), nullable=True),
        sa.Column("lateness_seconds", sa.Float(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("rescue_count", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("cancel_requested_at", UtcInstant(), nullable=True),
        sa.Column("cancel_reason", sa.String(24), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("signal", sa.Integer(), nullable=True),
        sa.Column("result", Json, nullable=True),
        sa.Column("log_bytes", BigId, nullable=False),
        sa.Column("logs_truncated", sa.Boolean(), nullable=False),
        sa.Column("isolation", Json, nullable=True),
        sa.Column("usage", Json, nullable=True),
        sa.Column("correlation_id", sa.String(length=128), nullable=False),
        sa.CheckConstraint("(status = 'missed') = (missed_count IS NOT NULL)", name=op.f("ck_runs_missed_is_counted")),
        sa.CheckConstraint(
            "(status IN ('cancelled', 'failed', 'missed', 'skipped', 'success')) = (finished_at IS NOT NULL)",
            name=op.f("ck_runs_finished_when_terminal"),
        ),
        sa.CheckConstraint("place IS NULL OR status = 'running'", name=op.f("ck_runs_place_while_running")),
        sa.CheckConstraint(
            "status <> 'running' OR (worker_id IS NOT NULL AND started_at IS NOT NULL)",
            name=op.f("ck_runs_running_is_owned"),
        ),
        sa.CheckConstraint(
            "status <> 'success' OR (exit_code IS NOT NULL AND exit_code = 0)", name=op.f("ck_runs_success_is_exit_0")
        ),
        sa.CheckConstraint(
            "status IN ('cancelled', 'failed', 'missed', 'queued', 'retrying', 'running', 'skipped', 'success')",
            name=op.f("ck_runs_status"),
        ),
        sa.CheckConstraint("trigger IN ('backfill', 'manual', 'retry', 'schedule')", name=op.f("ck_runs_trigger")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_runs_job_id_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(
        "ix_runs_active",
        "runs",
        ["job_id"],
        unique=False,
        **_only(sa.text("status IN ('queued', 'retrying', 'running')")),
    )
    op.create_index("ix_runs_finished", "runs", ["finished_at"], unique=False)
    op.create_index("ix_runs_job", "runs", ["job_id", "id"], unique=False)
    op.create_index(
        "ix_runs_queued", "runs", ["priority", "available_at"], unique=False, **_only(sa.text("status IN ('queued')"))
    )
    op.create_index("ix_runs_running", "runs", ["worker_id"], unique=False, **_only(sa.text("status IN ('running')")))
    op.create_index("ix_runs_scheduled", "runs", ["scheduled_for"], unique=False)
    op.create_index(
        "ix_runs_unrung",
        "runs",
        ["available_at"],
        unique=False,
        **_only(sa.text("status IN ('queued', 'retrying') AND rung_at IS NULL")),
    )
    op.create_index(
        "ux_runs_instant", "runs", ["job_id", "scheduled_for"], unique=True, **_only(sa.text("trigger = 'schedule'"))
    )
    op.create_index("ux_runs_place", "runs", ["job_id", "place"], unique=True, **_only(sa.text("place IS NOT NULL")))

    op.create_table(
        "attempts",
        sa.Column("run_id", BigId, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=False),
        sa.Column("started_at", UtcInstant(), nullable=False),
        sa.Column("finished_at", UtcInstant(), nullable=True),
        sa.Column("status", sa.String(24), nullable=False),
        sa.Column("reason", sa.String(24), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("signal", sa.Integer(), nullable=True),
        sa.Column("isolation", Json, nullable=True),
        sa.Column("usage", Json, nullable=True),
        sa.CheckConstraint("status IN ('cancelled', 'failed', 'running', 'success')", name=op.f("ck_attempts_status")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_attempts_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "attempt", name=op.f("pk_attempts")),
    )
    op.create_table(
        "run_logs",
        sa.Column("run_id", BigId, autoincrement=False, nullable=False),
        sa.Column("at_byte", BigId, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_logs_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "at_byte", name=op.f("pk_run_logs")),
    )
    _guard_ended_runs()


def downgrade() -> None:
    """Remove everything."""
    for table in ("run_logs", "attempts", "runs", "jobs", "workers", "idempotency_keys"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change_of_ended_run()")


def _only(condition: sa.TextClause) -> dict[str, Any]:
    return {"sqlite_where": condition, "postgresql_where": condition}


def _guard_ended_runs() -> None:
    """Create triggers by which the database refuses to change a run that has ended."""
    ended = "OLD.status IN ('success', 'failed', 'cancelled', 'skipped', 'missed')"
    message = "a run that has ended never changes again"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change_of_ended_run() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER ended_runs_stay BEFORE UPDATE ON runs FOR EACH ROW WHEN ({ended}) "
            "EXECUTE FUNCTION refuse_change_of_ended_run()"
        )
    else:
        op.execute(
            f"CREATE TRIGGER ended_runs_stay BEFORE UPDATE ON runs FOR EACH ROW WHEN {ended} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
