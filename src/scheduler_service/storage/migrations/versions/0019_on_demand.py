"""Jobs without a schedule: `schedule_expr` may be NULL."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Allow NULL.

    SQLite changes a column only in a copy of the table, and dropping the table that runs refer to is risky. So a new
    column takes the place of the old one. No index, constraint or trigger has it.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("jobs", "schedule_expr", nullable=True)
        return
    op.execute("ALTER TABLE jobs RENAME COLUMN schedule_expr TO old_schedule_expr")
    op.add_column("jobs", sa.Column("schedule_expr", sa.Text()))
    op.execute("UPDATE jobs SET schedule_expr = old_schedule_expr")
    op.execute("ALTER TABLE jobs DROP COLUMN old_schedule_expr")


def downgrade() -> None:
    """Pause jobs without a schedule and store one. SQLite keeps a column that may be NULL."""
    op.execute(
        "UPDATE jobs SET schedule_expr = '@yearly', status = 'paused', version = version + 1 WHERE schedule_expr IS NULL"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("jobs", "schedule_expr", nullable=False)
