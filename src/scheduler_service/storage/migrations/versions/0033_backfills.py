"""Indexes of backfills: one active run of an instant, and the runs that repeat instants."""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.execute(
        "CREATE UNIQUE INDEX ux_runs_backfill ON runs (job_id, scheduled_for) "
        "WHERE \"trigger\" = 'backfill' AND status IN ('queued', 'retrying', 'running')"
    )
    op.execute(
        "CREATE INDEX ix_runs_repeated ON runs (job_id, scheduled_for) WHERE \"trigger\" IN ('backfill', 'retry')"
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_runs_repeated", "runs")
    op.drop_index("ux_runs_backfill", "runs")
