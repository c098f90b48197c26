"""The index of late runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_LATE = sa.text("lateness_seconds >= 60")


def upgrade() -> None:
    """Create it."""
    op.create_index("ix_runs_late", "runs", ["id"], sqlite_where=_LATE, postgresql_where=_LATE)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_runs_late", "runs")
