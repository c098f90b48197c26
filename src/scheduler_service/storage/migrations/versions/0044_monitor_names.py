"""The names that workers have in Celery monitors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("workers", sa.Column("monitor_name", sa.Text()))


def downgrade() -> None:
    """Drop the column."""
    op.execute("ALTER TABLE workers DROP COLUMN monitor_name")
