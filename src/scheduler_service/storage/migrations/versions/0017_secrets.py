"""Secrets of owners, and which of them a job uses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, Json, UtcInstant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and add the column. Jobs that exist use no secrets."""
    op.create_table(
        "secrets",
        sa.Column("id", BigId, nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(8), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.Column("last_used_at", UtcInstant()),
        sa.PrimaryKeyConstraint("id", name="pk_secrets"),
        sa.UniqueConstraint("owner_id", "name", name="uq_secrets_owner_id_name"),
    )
    op.add_column("jobs", sa.Column("secrets", Json, nullable=False, server_default="{}"))


def downgrade() -> None:
    """Drop both: the values are lost."""
    op.drop_column("jobs", "secrets")
    op.drop_table("secrets")
