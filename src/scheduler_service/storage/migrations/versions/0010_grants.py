"""The grants that jobs ask for, that runs had, and that workers hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import Json

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Jobs and workers that exist have none; of earlier runs nobody knows."""
    for table in ("jobs", "workers"):
        op.add_column(table, sa.Column("grants", Json, nullable=False, server_default="[]"))
    op.add_column("runs", sa.Column("grants", Json))


def downgrade() -> None:
    """Drop the columns."""
    for table in ("jobs", "workers", "runs"):
        op.drop_column(table, "grants")
