"""Policies of a job: its start deadline, its number of runs, its pauses, and slots that it shares with other jobs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import UtcInstant

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def _of_jobs() -> list[sa.Column[Any]]:
    return [
        sa.Column("start_deadline_seconds", sa.Float()),
        sa.Column("max_runs", sa.Integer()),
        sa.Column("pause_after_failures", sa.Integer()),
        sa.Column("concurrency_key", sa.String(64)),
        sa.Column("pause_reason", sa.Text()),
        sa.Column("paused_until", UtcInstant()),
        sa.Column("scheduled_runs", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failures_in_a_row", sa.Integer(), nullable=False, server_default="0"),
    ]


def _of_runs() -> list[sa.Column[Any]]:
    return [sa.Column("start_by", UtcInstant()), sa.Column("concurrency_key", sa.Text())]


def upgrade() -> None:
    """Add the columns and indexes. Jobs that exist have none of these policies."""
    for column in _of_jobs():
        op.add_column("jobs", column)
    for column in _of_runs():
        op.add_column("runs", column)
    _index("ix_jobs_paused", "jobs", ["paused_until"], "paused_until IS NOT NULL")
    _index("ix_runs_start_by", "runs", ["start_by"], "status IN ('queued') AND attempt = 0 AND start_by IS NOT NULL")
    held = "concurrency_slot IS NOT NULL AND concurrency_key IS NOT NULL"
    _index("ux_runs_concurrency_key", "runs", ["concurrency_key", "concurrency_slot"], held, unique=True)


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ux_runs_concurrency_key", table_name="runs")
    op.drop_index("ix_runs_start_by", table_name="runs")
    op.drop_index("ix_jobs_paused", table_name="jobs")
    for column in _of_runs():
        op.drop_column("runs", column.name)
    for column in _of_jobs():
        op.drop_column("jobs", column.name)


def _index(name: str, table: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
