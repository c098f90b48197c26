"""The table of the figures of each hour."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, EnumText, UtcInstant

hour_totals = Table(
    "hour_totals",
    metadata,
    # "*" for all owners; "=" and the owner for one.
    Column("scope", Text, primary_key=True),
    # What is counted, see `hour_totals`.
    Column("measure", String(8), primary_key=True),
    Column("hour", UtcInstant, primary_key=True),
    Column("status", EnumText(RunStatus), primary_key=True),
    # Empty: no reason.
    Column("reason", Text, primary_key=True),
    # Upper bound in milliseconds, of a duration or a lateness; 0: not of these.
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("rows", BigId, nullable=False),
    # The instants for which the rows stand.
    Column("instants", BigId, nullable=False),
    Index("ix_hour_totals_hour", "hour"),
    sqlite_with_rowid=False,
)
