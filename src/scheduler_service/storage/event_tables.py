"""The tables of what happened: events, their running totals, and who has read how far.

Events are written by triggers (migration 0002), so no move of a run or job can go unnoticed, whoever makes it.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from scheduler_service.domain.run_state import Reason
from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, EnumText, UtcInstant

__all__ = ["dispatchers", "event_offset", "events", "metadata", "observers", "totals"]

events = Table(
    "events",
    metadata,
    Column("id", BigId, primary_key=True),
    # PostgreSQL hands out ids before the commit, so a lower id may appear after a higher one. Ordered by the writing
    # transaction, and read only up to the oldest that is still open, nothing can appear behind a reader. SQLite has one
    # writer: always 0.
    Column("transaction_id", BigId, nullable=False),
    Column("at", UtcInstant, nullable=False),
    Column("subject", String(8), nullable=False),
    Column("change", String(24), nullable=False),
    Column("job_id", BigId, nullable=False),
    Column("run_id", BigId),
    Column("attempt", Integer),
    Column("reason", EnumText(Reason)),
    # Of runs that ended: the kind of payload that the job has at that moment.
    Column("payload_type", Text),
    # Of attempts that ended.
    Column("duration_seconds", Float),
    # Of first attempts that begin.
    Column("lateness_seconds", Float),
    # Of rows that stand for a range of missed instants.
    Column("missed_count", Integer),
    Index("ix_events_position", "transaction_id", "id"),
    sqlite_autoincrement=True,  # an id must not come again after its row was pruned
)

# One row: what is added to the transaction ids of this server, see `rebase`. SQLite: always 0.
event_offset = Table("event_offset", metadata, Column("transactions", BigId, nullable=False))

totals = Table(
    "totals",
    metadata,
    Column("change", String(24), primary_key=True),
    Column("payload_type", Text, primary_key=True),
    # Upper bounds in milliseconds; -1: not measured.
    Column("duration_bucket", BigId, primary_key=True, autoincrement=False),
    Column("lateness_bucket", BigId, primary_key=True, autoincrement=False),
    Column("count", BigId, nullable=False),
    Column("duration_seconds", Float, nullable=False),
    Column("lateness_seconds", Float, nullable=False),
    Column("missed_count", BigId, nullable=False),
)

observers = Table(
    "observers",
    metadata,
    Column("name", String(24), primary_key=True),
    # The position of the last event that it has dealt with.
    Column("transaction_id", BigId, nullable=False),
    Column("event_id", BigId, nullable=False),
)

dispatchers = Table(
    "dispatchers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("started_at", UtcInstant, nullable=False),
    # When a tick last came to its end; noted once a second at the most.
    Column("ticked_at", UtcInstant, nullable=False),
)
