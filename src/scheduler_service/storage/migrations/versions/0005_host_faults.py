"""Faults of the host: how often a run met one, and why a worker claims no runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns."""
    op.add_column("runs", sa.Column("fault_count", sa.Integer(), server_default="0", nullable=False))
    op.add_column("workers", sa.Column("unfit_reason", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("workers", "unfit_reason")
    op.drop_column("runs", "fault_count")
