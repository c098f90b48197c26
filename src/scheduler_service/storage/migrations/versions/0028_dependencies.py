"""Jobs that run after other jobs: their fields and tables, and the triggers that note ended runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, Json

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them. Jobs that exist run after none."""
    op.add_column("jobs", sa.Column("after", Json, nullable=False, server_default="[]"))
    op.add_column("jobs", sa.Column("after_mode", sa.String(8), nullable=False, server_default="all"))
    op.create_table(
        "job_dependencies",
        sa.Column("job_id", BigId, autoincrement=False, nullable=False),
        sa.Column("upstream_id", BigId, autoincrement=False, nullable=False),
        sa.Column("awaited_end", sa.String(8), nullable=False),
        sa.Column("run_id", BigId),
        sa.Column("status", sa.String(24)),
        sa.Column("result", Json),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_dependencies_job_id_jobs", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["upstream_id"], ["jobs.id"], name="fk_job_dependencies_upstream_id_jobs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "upstream_id", name="pk_job_dependencies"),
    )
    op.create_index("ix_job_dependencies_upstream", "job_dependencies", ["upstream_id"])
    op.create_table(
        "ended_upstreams",
        sa.Column("id", BigId, nullable=False),
        sa.Column("run_id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ended_upstreams"),
    )
    op.create_table(
        "run_upstreams",
        sa.Column("run_id", BigId, autoincrement=False, nullable=False),
        sa.Column("upstream_run_id", BigId, nullable=False),
        sa.Column("input", Json),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_run_upstreams_run_id_runs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", name="pk_run_upstreams"),
    )
    op.create_index("ix_run_upstreams_upstream", "run_upstreams", ["upstream_run_id"])
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for trigger in ("runs_ended_at_once", "runs_ended"):
        op.execute(f"DROP TRIGGER {trigger}" + (" ON runs" if is_postgresql else ""))
    if is_postgresql:
        op.execute("DROP FUNCTION note_ended_upstream()")
    for table in ("run_upstreams", "ended_upstreams", "job_dependencies"):
        op.drop_table(table)
    op.drop_column("jobs", "after_mode")
    op.drop_column("jobs", "after")


# A test of a definition that is not stored is no run of a job.
_POSTGRESQL = (
    """
CREATE FUNCTION note_ended_upstream() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO ended_upstreams (run_id, job_id)
  SELECT NEW.id, NEW.job_id WHERE EXISTS (SELECT FROM job_dependencies WHERE upstream_id = NEW.job_id);
  RETURN NULL;
END $$
""",
    """
CREATE TRIGGER runs_ended_at_once AFTER INSERT ON runs
FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL AND NEW.trigger <> 'test') EXECUTE FUNCTION note_ended_upstream()
""",
    """
CREATE TRIGGER runs_ended AFTER UPDATE OF status ON runs
FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL AND NEW.trigger <> 'test')
EXECUTE FUNCTION note_ended_upstream()
""",
)

_NOTE_ON_SQLITE = """BEGIN
  INSERT INTO ended_upstreams (run_id, job_id)
  SELECT NEW.id, NEW.job_id WHERE EXISTS (SELECT 1 FROM job_dependencies WHERE upstream_id = NEW.job_id);
END
"""
_SQLITE = (
    f"""
CREATE TRIGGER runs_ended_at_once AFTER INSERT ON runs
FOR EACH ROW WHEN NEW.finished_at IS NOT NULL AND NEW."trigger" <> 'test' {_NOTE_ON_SQLITE}
""",
    f"""
CREATE TRIGGER runs_ended AFTER UPDATE OF status ON runs
FOR EACH ROW WHEN NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL AND NEW."trigger" <> 'test' {_NOTE_ON_SQLITE}
""",
)
