"""`notified_at` in the place of `rung_at`: when workers were last notified of a run."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NOT_NOTIFIED = "status IN ('queued', 'retrying') AND {column} IS NULL"


def upgrade() -> None:
    """Rename the column, and make its index under its new name."""
    _rename("rung_at", "notified_at", "ix_runs_unrung", "ix_runs_unnotified")


def downgrade() -> None:
    """Rename both back."""
    _rename("notified_at", "rung_at", "ix_runs_unnotified", "ix_runs_unrung")


def _rename(old: str, new: str, old_index: str, new_index: str) -> None:
    op.drop_index(old_index, table_name="runs")
    op.execute(f"ALTER TABLE runs RENAME COLUMN {old} TO {new}")
    condition = _NOT_NOTIFIED.format(column=new)
    op.execute(f"CREATE INDEX {new_index} ON runs (available_at) WHERE {condition}")
