"""The tables of events, of their totals, and of the observers' cursors.

Database triggers write the events (migration 0002), so every change of a run or job is recorded, including changes made
outside the service.
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
    # PostgreSQL assigns ids before the commit, so a lower id can become visible after a higher one. Events are ordered
    # by the transaction that wrote them, and read only up to the oldest open transaction. No event can then appear
    # behind a reader. SQLite has one writer: always 0.
    Column("transaction_id", BigId, nullable=False),
    Column("at", UtcInstant, nullable=False),
    Column("subject", String(8), nullable=False),
    Column("change", String(24), nullable=False),
    Column("job_id", BigId, nullable=False),
    Column("run_id", BigId),
    Column("attempt", Integer),
    Column("reason", EnumText(Reason)),
    # For runs that ended: the job's payload kind at that moment.
    Column("payload_type", Text),
    # For attempts that ended.
    Column("duration_seconds", Float),
    # For first attempts that started.
    Column("lateness_seconds", Float),
    # For rows that cover a range of missed instants.
    Column("missed_count", Integer),
    Index("ix_events_position", "transaction_id", "id"),
    sqlite_autoincrement=True,  # the id of a pruned row must not be reused
)

# One row: the offset added to this server's transaction ids, see `rebase`. SQLite: always 0.
event_offset = Table("event_offset", metadata, Column("transactions", BigId, nullable=False))

totals = Table(
    "totals",
    metadata,
    Column("change", String(24), primary_key=True),
    Column("payload_type", Text, primary_key=True),
    # Upper bounds in milliseconds; -1 means not measured.
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
    # The position of the last event that the observer has processed.
    Column("transaction_id", BigId, nullable=False),
    Column("event_id", BigId, nullable=False),
)

dispatchers = Table(
    "dispatchers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("started_at", UtcInstant, nullable=False),
    # The end of the latest tick, recorded at most once a second.
    Column("ticked_at", UtcInstant, nullable=False),
)
