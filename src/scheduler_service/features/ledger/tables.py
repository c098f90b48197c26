"""The table of schedule spans, which a trigger fills."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, UtcInstant

schedule_spans = Table(
    "schedule_spans",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("job_id", BigId, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("state", String(8), nullable=False),
    # The first instant that is owed, and the first one that is not. NULL: the end of the schedule, or not known yet.
    Column("begins_at", UtcInstant, nullable=False),
    Column("ends_before", UtcInstant),
    Column("schedule_version", Integer, nullable=False),
    Column("schedule_expr", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("dst_gap", String(16), nullable=False),
    Column("dst_fold", String(16), nullable=False),
    Column("anchor_at", UtcInstant, nullable=False),
    Column("end_at", UtcInstant),
    CheckConstraint("state IN ('open', 'closed', 'finished')", name="state"),
    Index("ix_schedule_spans_job", "job_id", "begins_at"),
    Index("ix_schedule_spans_end", "ends_before"),
)
