"""The arguments and variables of single runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import Json

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Runs that exist have those of their job."""
    for name in ("args", "env"):
        op.add_column("runs", sa.Column(name, Json))


def downgrade() -> None:
    """Drop the columns."""
    for name in ("args", "env"):
        op.drop_column("runs", name)
