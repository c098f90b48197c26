"""The versions of jobs, and the version that each run ran."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, Json, UtcInstant

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the column of runs."""
    op.create_table(
        "job_versions",
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("replaced_at", UtcInstant()),
        sa.Column("key_id", sa.Text()),
        sa.Column("caller_owner_id", sa.Text()),
        sa.Column("operation", sa.Text()),
        sa.Column("changed", Json, nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "version", name="pk_job_versions"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_versions_job_id_jobs", ondelete="CASCADE"),
    )
    op.create_index("ix_job_versions_replaced", "job_versions", ["replaced_at"])
    op.add_column("runs", sa.Column("job_version", sa.Integer()))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("runs", "job_version")
    op.drop_table("job_versions")
