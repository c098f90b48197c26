"""Indexes for filters of lists: the last status and the payload kind of jobs, and the reason of runs."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    payload_type = "(payload ->> 'type')" if is_postgresql else "json_extract(payload, '$.type')"
    op.execute("CREATE INDEX ix_jobs_last_status ON jobs (last_run_status, id) WHERE deleted_at IS NULL")
    op.execute(f"CREATE INDEX ix_jobs_payload_type ON jobs ({payload_type}, id) WHERE deleted_at IS NULL")
    op.execute("CREATE INDEX ix_runs_reason ON runs (reason, id) WHERE reason IS NOT NULL")


def downgrade() -> None:
    """Drop them."""
    for index, table in (("jobs_last_status", "jobs"), ("jobs_payload_type", "jobs"), ("runs_reason", "runs")):
        op.drop_index(f"ix_{index}", table)
