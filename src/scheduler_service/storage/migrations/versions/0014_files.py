"""The files of jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import Json

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Jobs that exist have no files."""
    op.add_column("jobs", sa.Column("files", Json, nullable=False, server_default="{}"))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("jobs", "files")
