"""The quota of environments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("owner_quotas", sa.Column("environments", sa.Integer()))


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE owner_quotas DROP COLUMN environments")
