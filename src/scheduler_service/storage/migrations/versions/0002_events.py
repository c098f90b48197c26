"""Events, written by the database itself, and what is kept of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, UtcInstant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and triggers, and count what has been."""
    op.create_table(
        "events",
        sa.Column("id", BigId, nullable=False),
        sa.Column("transaction_id", BigId, nullable=False),
        sa.Column("at", UtcInstant(), nullable=False),
        sa.Column("subject", sa.String(length=8), nullable=False),
        sa.Column("change", sa.String(length=24), nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("run_id", BigId, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(24), nullable=True),
        sa.Column("payload_type", sa.Text(), nullable=True),
        sa.Column("duration_seconds", sa.Float(), nullable=True),
        sa.Column("lateness_seconds", sa.Float(), nullable=True),
        sa.Column("missed_count", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_position", "events", ["transaction_id", "id"], unique=False)
    op.create_table(
        "totals",
        sa.Column("change", sa.String(length=24), nullable=False),
        sa.Column("payload_type", sa.Text(), nullable=False),
        sa.Column("duration_bucket", BigId, autoincrement=False, nullable=False),
        sa.Column("lateness_bucket", BigId, autoincrement=False, nullable=False),
        sa.Column("count", BigId, nullable=False),
        sa.Column("duration_seconds", sa.Float(), nullable=False),
        sa.Column("lateness_seconds", sa.Float(), nullable=False),
        sa.Column("missed_count", BigId, nullable=False),
        sa.PrimaryKeyConstraint("change", "payload_type", "duration_bucket", "lateness_bucket", name=op.f("pk_totals")),
    )
    op.create_table(
        "observers",
        sa.Column("name", sa.String(length=24), nullable=False),
        sa.Column("transaction_id", BigId, nullable=False),
        sa.Column("event_id", BigId, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_observers")),
    )
    op.execute("INSERT INTO observers (name, transaction_id, event_id) VALUES ('totals', 0, 0)")
    op.create_table(
        "dispatchers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("started_at", UtcInstant(), nullable=False),
        sa.Column("ticked_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatchers")),
    )
    op.add_column("workers", sa.Column("sandbox_level", sa.String(length=16), nullable=True))
    op.create_index(
        "ix_jobs_status",
        "jobs",
        ["status"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    postgresql = op.get_bind().dialect.name == "postgresql"
    op.execute(_COUNT_ENDED.format(type="payload ->> 'type'" if postgresql else "json_extract(payload, '$.type')"))
    for statement in _POSTGRESQL if postgresql else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    for trigger, table in (("added", "runs"), ("moved", "runs"), ("added", "jobs"), ("moved", "jobs")):
        op.execute(f"DROP TRIGGER {table}_{trigger}" + (f" ON {table}" if postgresql else ""))
    if postgresql:
        for function in ("note_added_runs", "note_moved_run", "note_job"):
            op.execute(f"DROP FUNCTION {function}()")
    op.drop_index("ix_jobs_status", "jobs")
    op.drop_column("workers", "sandbox_level")
    for table in ("dispatchers", "observers", "totals", "events"):
        op.drop_table(table)


_COUNT_ENDED = """
INSERT INTO totals (change, payload_type, duration_bucket, lateness_bucket, count, duration_seconds, lateness_seconds,
                    missed_count)
SELECT runs.status, {type}, -1, -1, count(*), 0, 0, coalesce(sum(missed_count), 0)
FROM runs JOIN jobs ON jobs.id = runs.job_id
WHERE finished_at IS NOT NULL
GROUP BY 1, 2
"""

_JOB_CHANGE = """CASE
    WHEN NEW.deleted_at IS NOT NULL THEN 'deleted'
    WHEN NEW.status = OLD.status THEN 'changed'
    WHEN NEW.status = 'active' THEN 'resumed'
    ELSE NEW.status
  END"""

# Runs are added by thousands in one statement, so one trigger for all of them; they move one by one.
_POSTGRESQL = (
    """
CREATE FUNCTION note_added_runs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO events (transaction_id, at, subject, change, job_id, run_id, attempt, reason, payload_type, missed_count)
  SELECT pg_current_xact_id()::text::bigint, statement_timestamp(), 'run', added.status, added.job_id, added.id,
         added.attempt, added.reason,
         CASE WHEN added.finished_at IS NOT NULL THEN (SELECT payload ->> 'type' FROM jobs WHERE id = added.job_id) END,
         added.missed_count
  FROM added ORDER BY added.id;
  RETURN NULL;
END $$
""",
    """
CREATE FUNCTION note_moved_run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO events (transaction_id, at, subject, change, job_id, run_id, attempt, reason, payload_type,
                      duration_seconds, lateness_seconds)
  VALUES (pg_current_xact_id()::text::bigint, statement_timestamp(), 'run', NEW.status, NEW.job_id, NEW.id, NEW.attempt,
          NEW.reason,
          CASE WHEN NEW.finished_at IS NOT NULL THEN (SELECT payload ->> 'type' FROM jobs WHERE id = NEW.job_id) END,
          CASE WHEN OLD.status = 'running' THEN extract(epoch FROM NEW.finished_at - NEW.started_at) END,
          CASE WHEN OLD.lateness_seconds IS NULL THEN NEW.lateness_seconds END);
  RETURN NULL;
END $$
""",
    f"""
CREATE FUNCTION note_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO events (transaction_id, at, subject, change, job_id)
  VALUES (pg_current_xact_id()::text::bigint, statement_timestamp(), 'job',
          CASE WHEN TG_OP = 'INSERT' THEN 'created' ELSE {_JOB_CHANGE} END, NEW.id);
  RETURN NULL;
END $$
""",
    """
CREATE TRIGGER runs_added AFTER INSERT ON runs REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION note_added_runs()
""",
    """
CREATE TRIGGER runs_moved AFTER UPDATE OF status ON runs FOR EACH ROW WHEN (OLD.status <> NEW.status)
EXECUTE FUNCTION note_moved_run()
""",
    "CREATE TRIGGER jobs_added AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION note_job()",
    """
CREATE TRIGGER jobs_moved AFTER UPDATE OF version, status ON jobs
FOR EACH ROW WHEN (OLD.version <> NEW.version OR OLD.status <> NEW.status) EXECUTE FUNCTION note_job()
""",
)

# Instants are microseconds there; SQLite's own clock counts milliseconds.
_SQLITE_NOW = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000"
_SQLITE = (
    f"""
CREATE TRIGGER runs_added AFTER INSERT ON runs FOR EACH ROW BEGIN
  INSERT INTO events (transaction_id, at, subject, change, job_id, run_id, attempt, reason, payload_type, missed_count)
  VALUES (0, {_SQLITE_NOW}, 'run', NEW.status, NEW.job_id, NEW.id, NEW.attempt, NEW.reason,
          CASE WHEN NEW.finished_at IS NOT NULL
               THEN (SELECT json_extract(payload, '$.type') FROM jobs WHERE id = NEW.job_id) END,
          NEW.missed_count);
END
""",
    f"""
CREATE TRIGGER runs_moved AFTER UPDATE OF status ON runs FOR EACH ROW WHEN OLD.status <> NEW.status BEGIN
  INSERT INTO events (transaction_id, at, subject, change, job_id, run_id, attempt, reason, payload_type,
                      duration_seconds, lateness_seconds)
  VALUES (0, {_SQLITE_NOW}, 'run', NEW.status, NEW.job_id, NEW.id, NEW.attempt, NEW.reason,
          CASE WHEN NEW.finished_at IS NOT NULL
               THEN (SELECT json_extract(payload, '$.type') FROM jobs WHERE id = NEW.job_id) END,
          CASE WHEN OLD.status = 'running' THEN (NEW.finished_at - NEW.started_at) / 1e6 END,
          CASE WHEN OLD.lateness_seconds IS NULL THEN NEW.lateness_seconds END);
END
""",
    f"""
CREATE TRIGGER jobs_added AFTER INSERT ON jobs FOR EACH ROW BEGIN
  INSERT INTO events (transaction_id, at, subject, change, job_id)
  VALUES (0, {_SQLITE_NOW}, 'job', 'created', NEW.id);
END
""",
    f"""
CREATE TRIGGER jobs_moved AFTER UPDATE OF version, status ON jobs
FOR EACH ROW WHEN OLD.version <> NEW.version OR OLD.status <> NEW.status BEGIN
  INSERT INTO events (transaction_id, at, subject, change, job_id)
  VALUES (0, {_SQLITE_NOW}, 'job', {_JOB_CHANGE}, NEW.id);
END
""",
)
