"""The audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, Json, UtcInstant

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "audit_entries",
        sa.Column("id", BigId, nullable=False),
        sa.Column("at", UtcInstant(), nullable=False),
        sa.Column("key_id", sa.Text()),
        sa.Column("caller_owner_id", sa.Text()),
        sa.Column("address", sa.Text()),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("object", sa.Text()),
        sa.Column("owner_id", sa.Text()),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("changes", Json),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"])
    op.create_index("ix_audit_entries_object", "audit_entries", ["object", "id"])


def downgrade() -> None:
    """Drop the table with all entries."""
    op.drop_table("audit_entries")
