"""The table of artifacts."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from scheduler_service.features.artifacts.records import Place
from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, EnumText, UtcInstant

_GARBAGE = text("run_id IS NULL")

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", String(32), primary_key=True),
    # NULL: not stored completely yet, or not wanted any more. The sweeper deletes such rows after a while.
    Column("run_id", BigId, ForeignKey("runs.id", ondelete="SET NULL")),
    Column("name", Text, nullable=False),
    Column("size", BigId, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("media_type", Text, nullable=False),
    Column("place", EnumText(Place), nullable=False),
    # The bytes, if their place is the database.
    Column("data", LargeBinary),
    Column("created_at", UtcInstant, nullable=False),
    CheckConstraint("place IN ('data_dir', 'database', 'url')", name="place"),
    UniqueConstraint("run_id", "name"),
    Index("ix_artifacts_garbage", "created_at", sqlite_where=_GARBAGE, postgresql_where=_GARBAGE),
)
