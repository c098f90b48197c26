"""What may create a run: also a backfill, the end of another run, and a test."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_OLD = "'backfill', 'manual', 'retry', 'schedule'"
_NEW = "'backfill', 'dependency', 'manual', 'retry', 'schedule', 'test'"


def upgrade() -> None:
    """Allow them."""
    _allow(_OLD, _NEW)


def downgrade() -> None:
    """Refuse the new ones, and delete the runs that they created."""
    op.execute("DELETE FROM runs WHERE \"trigger\" IN ('dependency', 'test')")
    _allow(_NEW, _OLD)


def _allow(old: str, new: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE runs DROP CONSTRAINT ck_runs_trigger")
        op.execute(f'ALTER TABLE runs ADD CONSTRAINT ck_runs_trigger CHECK ("trigger" IN ({new}))')
        return
    # SQLite cannot change a constraint, and a copy of a table to which others refer is risky. Its manual describes this
    # way for changes that do not touch stored rows (https://sqlite.org/lang_altertable.html, section 7).
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'runs'", (old, new)
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")
