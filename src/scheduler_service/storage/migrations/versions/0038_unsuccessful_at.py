"""The index of unsuccessful runs in the order of their instants, for lists such as those that failed today."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_UNSUCCESSFUL = sa.text("status IN ('cancelled', 'failed', 'missed', 'skipped') AND scheduled_for IS NOT NULL")


def upgrade() -> None:
    """Create it."""
    op.create_index(
        "ix_runs_unsuccessful_at",
        "runs",
        ["status", "scheduled_for", "id"],
        sqlite_where=_UNSUCCESSFUL,
        postgresql_where=_UNSUCCESSFUL,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_runs_unsuccessful_at", "runs")
