"""Figures of each hour. The service counts the runs that are stored when it starts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, UtcInstant

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the observer that fills it."""
    op.create_table(
        "hour_totals",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("measure", sa.String(8), nullable=False),
        sa.Column("hour", UtcInstant(), nullable=False),
        sa.Column("status", sa.String(24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rows", BigId, nullable=False),
        sa.Column("instants", BigId, nullable=False),
        sa.PrimaryKeyConstraint("scope", "measure", "hour", "status", "reason", "bucket", name="pk_hour_totals"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_hour_totals_hour", "hour_totals", ["hour"])
    op.execute("INSERT INTO observers (name, transaction_id, event_id) VALUES ('hours', 0, 0)")


def downgrade() -> None:
    """Remove both."""
    op.execute("DELETE FROM observers WHERE name = 'hours'")
    op.drop_table("hour_totals")
