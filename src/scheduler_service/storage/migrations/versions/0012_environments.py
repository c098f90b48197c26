"""Environments: the locked packages of jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, Json, UtcInstant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and let jobs name their environment. Jobs that exist have none."""
    op.create_table(
        "environments",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("requirements", Json, nullable=False),
        sa.Column("lock", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("size_bytes", BigId, nullable=True),
        sa.Column("build_seconds", sa.Float(), nullable=True),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("built_at", UtcInstant(), nullable=True),
        sa.Column("used_at", UtcInstant(), nullable=False),
        sa.CheckConstraint("state IN ('building', 'failed', 'ready')", name=op.f("ck_environments_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environments")),
    )
    op.create_index("ix_environments_state", "environments", ["state"])
    op.add_column("jobs", sa.Column("environment_id", sa.String(length=32), nullable=True))
    op.create_index(
        "ix_jobs_environment",
        "jobs",
        ["environment_id"],
        sqlite_where=sa.text("environment_id IS NOT NULL"),
        postgresql_where=sa.text("environment_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop both. Jobs with requirements then run in the default environment."""
    op.drop_index("ix_jobs_environment", table_name="jobs")
    op.drop_column("jobs", "environment_id")
    op.drop_table("environments")
