"""Owners of runs, by whom claims divide slots, and the quotas of owners."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import UtcInstant

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_QUEUED = sa.text("status IN ('queued')")
_URGENCY = (sa.text("priority DESC"), "available_at", "id")
_LIMITS = (
    "jobs",
    "min_interval_seconds",
    "runs_per_minute",
    "concurrent_runs",
    "log_mb",
    "artifact_mb",
    "environments",
    "weight",
)


def upgrade() -> None:
    """Name the owner of each run that has not ended, and sort the queue by owners."""
    op.create_table(
        "owner_quotas",
        sa.Column("owner_id", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.Integer()) for name in _LIMITS),
        sa.Column("updated_at", UtcInstant(), nullable=False),
    )
    op.add_column("runs", sa.Column("owner_id", sa.Text(), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("owner_slot", sa.Integer()))
    op.execute(f"UPDATE runs SET owner_id = (SELECT owner_id FROM jobs WHERE jobs.id = runs.job_id) WHERE {_IS_ACTIVE}")
    _sort_queue(["owner_id", *_URGENCY])
    op.create_index(
        "ux_runs_owner_slot",
        "runs",
        ["owner_id", "owner_slot"],
        unique=True,
        sqlite_where=sa.text(_HOLDS_SLOT),
        postgresql_where=sa.text(_HOLDS_SLOT),
    )
    if op.get_bind().dialect.name == "sqlite":
        # For so wide a table, SQLite estimates that two indexes of `job_id` cost the same, and takes the newest.
        op.drop_index("ix_runs_active", table_name="runs")
        op.create_index("ix_runs_active", "runs", ["job_id"], sqlite_where=sa.text(_IS_ACTIVE))


def downgrade() -> None:
    """Forget owners of runs and their quotas."""
    op.drop_index("ux_runs_owner_slot", table_name="runs")
    _sort_queue(list(_URGENCY))
    # SQLite drops a column in place; a batch would copy the whole table.
    for name in ("owner_slot", "owner_id"):
        op.execute(f"ALTER TABLE runs DROP COLUMN {name}")
    op.drop_table("owner_quotas")


_IS_ACTIVE = "status IN ('queued', 'retrying', 'running')"
_HOLDS_SLOT = "status IN ('running') AND owner_slot IS NOT NULL"


def _sort_queue(columns: list[Any]) -> None:
    op.drop_index("ix_runs_queued", table_name="runs")
    op.create_index("ix_runs_queued", "runs", columns, sqlite_where=_QUEUED, postgresql_where=_QUEUED)
