"""Tables by which lists of jobs find their rows. Triggers of the database keep them in step with `jobs`.

Theory of operation. The dispatcher moves `next_run_at` of a job at each instant. On PostgreSQL such a change writes to
every index of `jobs`. The indexes that only lists need are therefore on these tables, which change only when a user
changes a job. They contain the jobs that are not deleted.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, column, table

from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, UtcInstant

job_lookup = Table(
    "job_lookup",
    metadata,
    Column("job_id", BigId, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
    # In lower case, for searches that ignore case.
    Column("folded_name", Text, nullable=False),
    Column("folded_description", Text, nullable=False),
    *(Index(f"ix_job_lookup_{name}", name, "job_id") for name in ("name", "priority", "created_at", "updated_at")),
)

job_tags = Table(
    "job_tags",
    metadata,
    Column("tag", Text, primary_key=True),
    Column("job_id", BigId, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Index("ix_job_tags_job", "job_id"),
    sqlite_with_rowid=False,
)

job_texts = table("job_texts", column("rowid", BigId))
"""The trigram index of the folded texts on SQLite, if the library has FTS5. It is not part of the metadata."""

UNMANAGED = ("job_texts", "ix_job_lookup_texts", "ix_jobs_payload_type", "ix_runs_queued")
"""Indexes that Alembic cannot compare: of an expression, in a descending order, and the trigram indexes, which exist
only where the database supports them. The names of the trigram indexes' tables begin so."""
