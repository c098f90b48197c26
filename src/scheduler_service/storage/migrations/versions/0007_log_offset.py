"""Where the log of each attempt begins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of attempts that are stored already nobody knows it."""
    op.add_column("attempts", sa.Column("log_offset", BigId, nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("attempts", "log_offset")
