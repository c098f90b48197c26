"""The tags of a worker, and the request that it claims no more runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import Json, UtcInstant

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("workers", sa.Column("tags", Json, nullable=False, server_default="[]"))
    op.add_column("workers", sa.Column("drain_requested_at", UtcInstant()))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("workers", "drain_requested_at")
    op.drop_column("workers", "tags")
