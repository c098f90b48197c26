"""Schedule spans, written by the database itself: in which time which schedule of a job was in force."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, UtcInstant

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and triggers. The spans of jobs that exist begin with their next instants."""
    op.create_table(
        "schedule_spans",
        sa.Column("id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("begins_at", UtcInstant(), nullable=False),
        sa.Column("ends_before", UtcInstant()),
        sa.Column("schedule_version", sa.Integer(), nullable=False),
        sa.Column("schedule_expr", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("dst_gap", sa.String(16), nullable=False),
        sa.Column("dst_fold", sa.String(16), nullable=False),
        sa.Column("anchor_at", UtcInstant(), nullable=False),
        sa.Column("end_at", UtcInstant()),
        sa.PrimaryKeyConstraint("id", name="pk_schedule_spans"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_schedule_spans_job_id_jobs", ondelete="CASCADE"),
        sa.CheckConstraint("state IN ('open', 'closed', 'finished')", name="ck_schedule_spans_state"),
    )
    op.create_index("ix_schedule_spans_job", "schedule_spans", ["job_id", "begins_at"])
    op.create_index("ix_schedule_spans_end", "schedule_spans", ["ends_before"])
    op.execute(
        f"INSERT INTO schedule_spans ({_COLUMNS}) SELECT {_COPIED}, 'open' FROM jobs WHERE next_run_at IS NOT NULL"
    )
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for trigger in ("jobs_span_began_by_insert", "jobs_span_began", "jobs_span_ended"):
        op.execute(f"DROP TRIGGER {trigger}{' ON jobs' if is_postgresql else ''}")
    if is_postgresql:
        op.execute("DROP FUNCTION begin_schedule_span")
        op.execute("DROP FUNCTION end_schedule_span")
    op.drop_table("schedule_spans")


_COLUMNS = "job_id, begins_at, schedule_version, schedule_expr, timezone, dst_gap, dst_fold, anchor_at, end_at, state"
_COPIED = "id, next_run_at, schedule_version, schedule_expr, timezone, dst_gap, dst_fold, anchor_at, end_at"
_NEW = ", ".join(f"NEW.{name}" for name in _COPIED.split(", "))
_BEGIN = f"INSERT INTO schedule_spans ({_COLUMNS}) VALUES ({_NEW}, 'open')"
_END = """UPDATE schedule_spans
  SET state = CASE WHEN NEW.status = 'finished' THEN 'finished' ELSE 'closed' END,
      ends_before = CASE WHEN NEW.status = 'finished' THEN NULL ELSE OLD.next_run_at END
  WHERE job_id = NEW.id AND state = 'open'"""
_IS_OTHER = "NEW.schedule_version <> OLD.schedule_version"
_BEGINS = f"NEW.next_run_at IS NOT NULL AND (OLD.next_run_at IS NULL OR {_IS_OTHER})"
_ENDS = f"OLD.next_run_at IS NOT NULL AND (NEW.next_run_at IS NULL OR {_IS_OTHER})"
# SQLite promises no order of triggers, so one trigger ends a span and begins the next.
_UPDATED = "AFTER UPDATE OF next_run_at, schedule_version ON jobs FOR EACH ROW"
_POSTGRESQL = (
    f"CREATE FUNCTION begin_schedule_span() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n  {_BEGIN};\n  RETURN NULL;\nEND $$",
    f"""CREATE FUNCTION end_schedule_span() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  {_END};
  IF {_BEGINS} THEN {_BEGIN}; END IF;
  RETURN NULL;
END $$""",
    """CREATE TRIGGER jobs_span_began_by_insert AFTER INSERT ON jobs FOR EACH ROW WHEN (NEW.next_run_at IS NOT NULL)
EXECUTE FUNCTION begin_schedule_span()""",
    f"""CREATE TRIGGER jobs_span_began {_UPDATED} WHEN (NEW.next_run_at IS NOT NULL AND OLD.next_run_at IS NULL)
EXECUTE FUNCTION begin_schedule_span()""",
    f"CREATE TRIGGER jobs_span_ended {_UPDATED} WHEN ({_ENDS}) EXECUTE FUNCTION end_schedule_span()",
)
_SQLITE = (
    f"CREATE TRIGGER jobs_span_began_by_insert AFTER INSERT ON jobs FOR EACH ROW WHEN NEW.next_run_at IS NOT NULL BEGIN {_BEGIN}; END",
    f"""CREATE TRIGGER jobs_span_began {_UPDATED} WHEN NEW.next_run_at IS NOT NULL AND OLD.next_run_at IS NULL
BEGIN {_BEGIN}; END""",
    f"""CREATE TRIGGER jobs_span_ended {_UPDATED} WHEN {_ENDS} BEGIN
  {_END};
  INSERT INTO schedule_spans ({_COLUMNS}) SELECT {_NEW}, 'open' WHERE NEW.next_run_at IS NOT NULL;
END""",
)
