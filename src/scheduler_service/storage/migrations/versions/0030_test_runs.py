"""Test runs and their jobs write no events."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave them out."""
    if op.get_bind().dialect.name == "postgresql":
        _replace_function("FROM added ORDER", "FROM added WHERE added.\"trigger\" <> 'test' ORDER")
        _replace_on_postgresql(f"AND {_IS_NO_TEST}", "WHEN (NEW.deleted_at IS NULL)")
    else:
        for name, (old, new) in _SQLITE.items():
            _replace_on_sqlite(name, old, new)


def downgrade() -> None:
    """Write events for them again."""
    if op.get_bind().dialect.name == "postgresql":
        _replace_function("FROM added WHERE added.\"trigger\" <> 'test' ORDER", "FROM added ORDER")
        _replace_on_postgresql("", "")
    else:
        for name, (old, new) in _SQLITE.items():
            _replace_on_sqlite(name, new, old)


_IS_NO_TEST = "NEW.\"trigger\" <> 'test'"
_SQLITE = {
    "runs_added": ("FOR EACH ROW BEGIN", f"FOR EACH ROW WHEN {_IS_NO_TEST} BEGIN"),
    "runs_moved": ("OLD.status <> NEW.status BEGIN", f"OLD.status <> NEW.status AND {_IS_NO_TEST} BEGIN"),
    "jobs_added": ("FOR EACH ROW BEGIN", "FOR EACH ROW WHEN NEW.deleted_at IS NULL BEGIN"),
}


def _replace_function(old: str, new: str) -> None:
    query = "SELECT pg_get_functiondef('note_added_runs'::regproc)"
    written = op.get_bind().execute(text(query)).scalar_one()
    assert old in written, written  # noqa: S101 (of an earlier migration)
    op.get_bind().exec_driver_sql(written.replace(old, new))


def _replace_on_postgresql(of_runs: str, of_jobs: str) -> None:
    op.execute("DROP TRIGGER runs_moved ON runs")
    op.execute(
        "CREATE TRIGGER runs_moved AFTER UPDATE OF status ON runs "
        f"FOR EACH ROW WHEN (OLD.status <> NEW.status {of_runs}) EXECUTE FUNCTION note_moved_run()"
    )
    op.execute("DROP TRIGGER jobs_added ON jobs")
    op.execute(f"CREATE TRIGGER jobs_added AFTER INSERT ON jobs FOR EACH ROW {of_jobs} EXECUTE FUNCTION note_job()")


def _replace_on_sqlite(name: str, old: str, new: str) -> None:
    connection = op.get_bind()
    query = "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = :name"
    written = connection.execute(text(query), {"name": name}).scalar_one()
    assert old in written, written  # noqa: S101 (of an earlier migration)
    op.execute(f"DROP TRIGGER {name}")
    connection.exec_driver_sql(written.replace(old, new, 1))
