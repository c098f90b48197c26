"""Runs that ended before a job ran after theirs are no ends for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId

revision = "0036"
down_revision = "0035"

_COLUMNS = "id, run_id, job_id"


def upgrade() -> None:
    """Add the newest end that is no end for an edge. Ids of ends are never used again."""
    op.add_column("job_dependencies", sa.Column("noted_after", BigId, nullable=False, server_default="0"))
    if op.get_bind().dialect.name == "sqlite":
        _rebuild("INTEGER NOT NULL CONSTRAINT pk_ended_upstreams PRIMARY KEY AUTOINCREMENT")


def downgrade() -> None:
    """Remove the column."""
    op.drop_column("job_dependencies", "noted_after")
    if op.get_bind().dialect.name == "sqlite":
        _rebuild("INTEGER NOT NULL CONSTRAINT pk_ended_upstreams PRIMARY KEY")


def _rebuild(identity: str) -> None:
    """Create the table of ends again with another identity. SQLite cannot change it."""
    named = "FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%INTO ended_upstreams%'"
    triggers = op.get_bind().execute(sa.text(f"SELECT name, sql {named}")).all()
    for trigger in triggers:
        op.execute(f"DROP TRIGGER {trigger.name}")
    op.execute(f"CREATE TABLE new_ended_upstreams (id {identity}, run_id INTEGER NOT NULL, job_id INTEGER NOT NULL)")
    op.execute(f"INSERT INTO new_ended_upstreams ({_COLUMNS}) SELECT {_COLUMNS} FROM ended_upstreams")
    op.execute("DROP TABLE ended_upstreams")
    op.execute("ALTER TABLE new_ended_upstreams RENAME TO ended_upstreams")
    for trigger in triggers:
        op.execute(sa.text(trigger.sql.replace(":", "\\:")))
