"""The keys by which files and other programs identify jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_NAME = "ux_jobs_external_key"


def upgrade() -> None:
    """Add the column. Jobs that exist have no key."""
    op.add_column("jobs", sa.Column("external_key", sa.Text()))
    op.execute(
        f"CREATE UNIQUE INDEX {_NAME} ON jobs (external_key, owner_id) "
        "WHERE external_key IS NOT NULL AND deleted_at IS NULL"
    )


def downgrade() -> None:
    """Drop the column."""
    op.drop_index(_NAME, "jobs")
    op.drop_column("jobs", "external_key")
