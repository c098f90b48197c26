"""The tables of the quotas that an administrator gave to owners, and of runs that are counted for them."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, UtcInstant

# NULL: the owner has the default of the settings. 0: no limit.
owner_quotas = Table(
    "owner_quotas",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("jobs", Integer),
    Column("min_interval_seconds", Integer),
    Column("runs_per_minute", Integer),
    Column("concurrent_runs", Integer),
    Column("environments", Integer),
    Column("stored_mb", Integer),
    Column("weight", Integer),
    Column("updated_at", UtcInstant, nullable=False),
)

# The runs that were queued in the latest minute, of owners with a quota of them.
owner_minutes = Table(
    "owner_minutes",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("minute_at", UtcInstant, nullable=False),
    Column("runs", Integer, nullable=False),
)

# The logs and artifacts of owners with a quota of them, at the latest count.
owner_bytes = Table(
    "owner_bytes",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("bytes", BigId, nullable=False),
    Column("counted_at", UtcInstant, nullable=False),
)
