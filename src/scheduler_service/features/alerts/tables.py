"""The tables of alert rules, their deliveries, and the jobs whose latest run failed."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from scheduler_service.features.alerts.rules import AlertKind
from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, EnumText, Json, UtcInstant

_PENDING = text("status = 'pending'")

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", Text, nullable=False),
    # NULL: all jobs, or the jobs of all owners.
    Column("job_id", BigId, ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("owner_id", Text),
    Column("kinds", Json, nullable=False),
    Column("late_seconds", Float, nullable=False),
    Column("too_long_seconds", Float, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("window_seconds", Float, nullable=False),
    Column("channel", Json, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
)

# The jobs whose latest run failed. The detector deletes a job's row at its first success.
failing_jobs = Table(
    "failing_jobs",
    metadata,
    Column("job_id", BigId, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("since", UtcInstant, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("rule_id", BigId, ForeignKey("alert_rules.id", ondelete="CASCADE"), nullable=False),
    Column("key", String(96), nullable=False),
    Column("kind", EnumText(AlertKind), nullable=False),
    Column("job_id", BigId),
    Column("run_id", BigId),
    Column("alert", Json, nullable=False),
    Column("status", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    # While a sender holds the delivery: the end of its lease.
    Column("next_try_at", UtcInstant, nullable=False),
    Column("error", Text),
    Column("created_at", UtcInstant, nullable=False),
    Column("ended_at", UtcInstant),
    CheckConstraint("status IN ('delivered', 'failed', 'pending')", name="status"),
    UniqueConstraint("rule_id", "key"),
    Index("ix_deliveries_pending", "next_try_at", sqlite_where=_PENDING, postgresql_where=_PENDING),
    Index("ix_deliveries_ended", "ended_at"),
    sqlite_autoincrement=True,  # receivers know a delivery by its id
)
