"""Calendars, and the names of those of a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, Json, UtcInstant

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and add the columns. Jobs that exist run on every day."""
    op.create_table(
        "calendars",
        sa.Column("id", BigId, nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calendars"),
        sa.UniqueConstraint("owner_id", "name", name="uq_calendars_owner_id_name"),
    )
    op.add_column("jobs", sa.Column("calendars", Json, nullable=False, server_default="[]"))
    op.add_column("jobs", sa.Column("calendar_shift", sa.String(16), nullable=False, server_default="skip"))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("jobs", "calendar_shift")
    op.drop_column("jobs", "calendars")
    op.drop_table("calendars")
