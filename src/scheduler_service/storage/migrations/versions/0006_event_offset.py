"""Positions of events that go on where a database was restored into a server with lower transaction numbers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the offset, and let the triggers of PostgreSQL add it; SQLite has no transaction ids."""
    op.create_table("event_offset", sa.Column("transactions", BigId, nullable=False))
    op.execute("INSERT INTO event_offset (transactions) VALUES (0)")
    if op.get_bind().dialect.name == "postgresql":
        _replace_functions("pg_current_xact_id()::text::bigint + (SELECT transactions FROM event_offset)")


def downgrade() -> None:
    """Remove it; positions that it moved stay where they are."""
    if op.get_bind().dialect.name == "postgresql":
        _replace_functions("pg_current_xact_id()::text::bigint")
    op.drop_table("event_offset")


def _replace_functions(position: str) -> None:
    for statement in _FUNCTIONS:
        op.execute(statement.replace("{position}", position))


# Those of migration 0002, with another position. The offset is read by the statement that inserts: that has locked the
# table before it takes its snapshot, so it sees the offset of a rebase that it had to wait for.
_FUNCTIONS = (
    """
CREATE OR REPLACE FUNCTION note_added_runs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO events (transaction_id, at, subject, change, job_id, run_id, attempt, reason, payload_type, missed_count)
  SELECT {position}, statement_timestamp(), 'run', added.status, added.job_id, added.id, added.attempt, added.reason,
         CASE WHEN added.finished_at IS NOT NULL THEN (SELECT payload ->> 'type' FROM jobs WHERE id = added.job_id) END,
         added.missed_count
  FROM added ORDER BY added.id;
  RETURN NULL;
END $$
""",
    """
CREATE OR REPLACE FUNCTION note_moved_run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO events (transaction_id, at, subject, change, job_id, run_id, attempt, reason, payload_type,
                      duration_seconds, lateness_seconds)
  VALUES ({position}, statement_timestamp(), 'run', NEW.status, NEW.job_id, NEW.id, NEW.attempt, NEW.reason,
          CASE WHEN NEW.finished_at IS NOT NULL THEN (SELECT payload ->> 'type' FROM jobs WHERE id = NEW.job_id) END,
          CASE WHEN OLD.status = 'running' THEN extract(epoch FROM NEW.finished_at - NEW.started_at) END,
          CASE WHEN OLD.lateness_seconds IS NULL THEN NEW.lateness_seconds END);
  RETURN NULL;
END $$
""",
    """
CREATE OR REPLACE FUNCTION note_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO events (transaction_id, at, subject, change, job_id)
  VALUES ({position}, statement_timestamp(), 'job',
          CASE WHEN TG_OP = 'INSERT' THEN 'created'
               WHEN NEW.deleted_at IS NOT NULL THEN 'deleted'
               WHEN NEW.status = OLD.status THEN 'changed'
               WHEN NEW.status = 'active' THEN 'resumed'
               ELSE NEW.status END,
          NEW.id);
  RETURN NULL;
END $$
""",
)
