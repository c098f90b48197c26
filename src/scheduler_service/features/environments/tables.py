"""The table of environments."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Float, Index, String, Table, Text

from scheduler_service.domain.environment_lock import EnvironmentState
from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, EnumText, Json, UtcInstant

environments = Table(
    "environments",
    metadata,
    # The hash of `lock`.
    Column("id", String(32), primary_key=True),
    # As the latest build on any worker left it.
    Column("state", EnumText(EnvironmentState), nullable=False),
    Column("requirements", Json, nullable=False),
    Column("lock", Text, nullable=False),
    Column("log", Text, nullable=False),
    Column("size_bytes", BigId),
    Column("build_seconds", Float),
    Column("created_at", UtcInstant, nullable=False),
    Column("built_at", UtcInstant),
    # When a job was stored with it, or a worker built it.
    Column("used_at", UtcInstant, nullable=False),
    CheckConstraint("state IN ('building', 'failed', 'ready')", name="state"),
    Index("ix_environments_state", "state"),
)
