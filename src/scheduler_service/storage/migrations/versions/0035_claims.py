"""Sort the queue in the order of claims."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"

_QUEUED = sa.text("status IN ('queued')")


def upgrade() -> None:
    """Replace the index of queued runs, in which a claim had to read all of them."""
    _replace([sa.text("priority DESC"), "available_at", "id"])


def downgrade() -> None:
    """Restore the former order."""
    _replace(["priority", "available_at"])


def _replace(columns: list[Any]) -> None:
    op.drop_index("ix_runs_queued", table_name="runs")
    op.create_index("ix_runs_queued", "runs", columns, sqlite_where=_QUEUED, postgresql_where=_QUEUED)
