"""Artifacts of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, Json, UtcInstant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the column for what lists of runs show."""
    op.add_column("runs", sa.Column("artifacts", Json, nullable=False, server_default="[]"))
    garbage = sa.text("run_id IS NULL")
    op.create_table(
        "artifacts",
        sa.Column("id", sa.String(32)),
        sa.Column("run_id", BigId),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size", BigId, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("place", sa.String(24), nullable=False),
        sa.Column("data", sa.LargeBinary),
        sa.Column("created_at", UtcInstant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_artifacts"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_artifacts_run_id_runs", ondelete="SET NULL"),
        sa.CheckConstraint("place IN ('data_dir', 'database', 'url')", name="ck_artifacts_place"),
        sa.UniqueConstraint("run_id", "name", name="uq_artifacts_run_id_name"),
    )
    op.create_index("ix_artifacts_garbage", "artifacts", ["created_at"], sqlite_where=garbage, postgresql_where=garbage)


def downgrade() -> None:
    """Drop both."""
    op.drop_table("artifacts")
    op.drop_column("runs", "artifacts")
