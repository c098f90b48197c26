"""Removal of the parts of runs by one statement for many runs, and a smaller index of their ends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

# Each foreign key costs PostgreSQL a query of its own for each deleted run. Together, they took nine tenths of the time.
_PARTS = {"attempts": "CASCADE", "run_logs": "CASCADE", "run_upstreams": "CASCADE", "artifacts": "SET NULL"}
# The planner does not know how many runs are removed. A hash join would read the whole tables for each batch.
_REMOVE = """
CREATE FUNCTION remove_parts_of_runs() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$ BEGIN
  DELETE FROM run_logs USING removed WHERE run_id = removed.id;
  DELETE FROM attempts USING removed WHERE run_id = removed.id;
  DELETE FROM run_upstreams USING removed WHERE run_id = removed.id;
  UPDATE artifacts SET run_id = NULL FROM removed WHERE run_id = removed.id;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Replace the foreign keys of PostgreSQL by a trigger. On SQLite they cost little and stay."""
    _index_finished("finished_at IS NOT NULL")
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _PARTS:
        op.drop_constraint(f"fk_{table}_run_id_runs", table)
    op.execute(_REMOVE)
    op.execute(
        "CREATE TRIGGER runs_removed AFTER DELETE ON runs REFERENCING OLD TABLE AS removed "
        "FOR EACH STATEMENT EXECUTE FUNCTION remove_parts_of_runs()"
    )


def downgrade() -> None:
    """Restore the foreign keys."""
    _index_finished(None)
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP TRIGGER runs_removed ON runs")
    op.execute("DROP FUNCTION remove_parts_of_runs")
    for table, action in _PARTS.items():
        op.create_foreign_key(f"fk_{table}_run_id_runs", table, "runs", ["run_id"], ["id"], ondelete=action)


def _index_finished(condition: str | None) -> None:
    where = None if condition is None else sa.text(condition)
    op.drop_index("ix_runs_finished", "runs")
    op.create_index("ix_runs_finished", "runs", ["finished_at"], sqlite_where=where, postgresql_where=where)
