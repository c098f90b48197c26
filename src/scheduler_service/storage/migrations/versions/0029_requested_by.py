"""The key that requested a run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("runs", sa.Column("requested_by", sa.Text()))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("runs", "requested_by")
