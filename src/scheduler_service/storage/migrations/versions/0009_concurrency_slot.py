"""`concurrency_slot` in the place of `place`: which of a job's concurrent runs a running one is."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OLD, _NEW = "place", "concurrency_slot"


def upgrade() -> None:
    """Rename the column, its index and its constraint."""
    _rename(_OLD, _NEW)


def downgrade() -> None:
    """Rename them back."""
    _rename(_NEW, _OLD)


def _rename(old: str, new: str) -> None:
    op.drop_index(f"ux_runs_{old}", table_name="runs")
    op.execute(f"ALTER TABLE runs RENAME COLUMN {old} TO {new}")
    op.execute(f"CREATE UNIQUE INDEX ux_runs_{new} ON runs (job_id, {new}) WHERE {new} IS NOT NULL")
    # SQLite could rename a constraint only in a copy of the whole table, so there it keeps its name.
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE runs RENAME CONSTRAINT ck_runs_{old}_while_running TO ck_runs_{new}_while_running")
