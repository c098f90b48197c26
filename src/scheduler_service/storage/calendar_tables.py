"""The table of calendars, which jobs name."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text, UniqueConstraint

from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, Json, UtcInstant

calendars = Table(
    "calendars",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("name", String(64), nullable=False),
    Column("definition", Json, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
    UniqueConstraint("owner_id", "name"),
)
