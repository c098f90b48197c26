"""The runs that an owner queued in the latest minute, and only the quotas that are enforced."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import UtcInstant

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_UNUSED = ("log_mb", "artifact_mb", "environments")


def upgrade() -> None:
    """Add the table of counts."""
    op.create_table(
        "owner_minutes",
        sa.Column("owner_id", sa.Text(), primary_key=True),
        sa.Column("minute_at", UtcInstant(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
    )
    for name in _UNUSED:
        op.execute(f"ALTER TABLE owner_quotas DROP COLUMN {name}")


def downgrade() -> None:
    """Remove it."""
    for name in _UNUSED:
        op.add_column("owner_quotas", sa.Column(name, sa.Integer()))
    op.drop_table("owner_minutes")
