"""The quota of logs and artifacts, and what owners use of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, UtcInstant

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table of counts."""
    op.add_column("owner_quotas", sa.Column("stored_mb", sa.Integer()))
    op.create_table(
        "owner_bytes",
        sa.Column("owner_id", sa.Text(), primary_key=True),
        sa.Column("bytes", BigId, nullable=False),
        sa.Column("counted_at", UtcInstant(), nullable=False),
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_table("owner_bytes")
    op.execute("ALTER TABLE owner_quotas DROP COLUMN stored_mb")
