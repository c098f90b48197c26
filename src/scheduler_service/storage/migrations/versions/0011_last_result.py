"""The last result of a job's runs, for the next run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import Json

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Results of earlier runs are not handed on."""
    op.add_column("jobs", sa.Column("last_result", Json))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("jobs", "last_result")
