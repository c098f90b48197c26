"""Alerts: who is to be told of what, and what has been told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, Json, UtcInstant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, and let the watch begin with what happens from now on."""
    op.create_table(
        "alert_rules",
        sa.Column("id", BigId, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("job_id", BigId, nullable=True),
        sa.Column("owner_id", sa.Text(), nullable=True),
        sa.Column("kinds", Json, nullable=False),
        sa.Column("late_seconds", sa.Float(), nullable=False),
        sa.Column("too_long_seconds", sa.Float(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("window_seconds", sa.Float(), nullable=False),
        sa.Column("channel", Json, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_alert_rules_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_rules")),
    )
    op.create_table(
        "failing_jobs",
        sa.Column("job_id", BigId, autoincrement=False, nullable=False),
        sa.Column("since", UtcInstant(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_failing_jobs_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_failing_jobs")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", BigId, nullable=False),
        sa.Column("rule_id", BigId, nullable=False),
        sa.Column("key", sa.String(length=96), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("job_id", BigId, nullable=True),
        sa.Column("run_id", BigId, nullable=True),
        sa.Column("alert", Json, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UtcInstant(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("ended_at", UtcInstant(), nullable=True),
        sa.CheckConstraint("status IN ('delivered', 'failed', 'pending')", name=op.f("ck_deliveries_status")),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["alert_rules.id"], name=op.f("fk_deliveries_rule_id_alert_rules"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("rule_id", "key", name=op.f("uq_deliveries_rule_id_key")),
        sqlite_autoincrement=True,
    )
    pending = sa.text("status = 'pending'")
    op.create_index(
        "ix_deliveries_pending",
        "deliveries",
        ["next_try_at"],
        unique=False,
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_index("ix_deliveries_ended", "deliveries", ["ended_at"], unique=False)
    op.execute("INSERT INTO observers (name, transaction_id, event_id) VALUES ('alerts', 0, 0)")


def downgrade() -> None:
    """Remove them."""
    for table in ("deliveries", "failing_jobs", "alert_rules"):
        op.drop_table(table)
    op.execute("DELETE FROM observers WHERE name = 'alerts'")
