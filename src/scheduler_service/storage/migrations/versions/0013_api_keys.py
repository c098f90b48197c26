"""API keys, and the installation's own key for their hashes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, Json, UtcInstant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "api_keys",
        sa.Column("id", BigId, nullable=False),
        sa.Column("public_id", sa.String(12), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text()),
        sa.Column("scopes", Json, nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("expires_at", UtcInstant()),
        sa.Column("last_used_at", UtcInstant()),
        sa.Column("revoked_at", UtcInstant()),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("public_id", name="uq_api_keys_public_id"),
    )
    op.create_table(
        "key_pepper",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("pepper", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_key_pepper"),
    )


def downgrade() -> None:
    """Drop them: only the bootstrap key works then."""
    op.drop_table("key_pepper")
    op.drop_table("api_keys")
