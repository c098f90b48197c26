"""The table of schedule spans, which a trigger fills, and those of the regular checks."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

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

# One row for each pass of the regular check over all jobs. The one with the greatest id may be under way.
ledger_checks = Table(
    "ledger_checks",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=False),
    # The window that is checked, and up to where every instant had been fired when the check began.
    Column("since", UtcInstant, nullable=False),
    Column("begun_at", UtcInstant, nullable=False),
    Column("settled_at", UtcInstant, nullable=False),
    Column("ended_at", UtcInstant),
    # The dispatcher that works on it, until when another one leaves it alone, and the last job that it has checked.
    Column("holder", Text, nullable=False),
    Column("held_until", UtcInstant, nullable=False),
    Column("after_job", BigId, nullable=False),
    Column("jobs", Integer, nullable=False),
    Column("owed", BigInteger, nullable=False),
    Column("unaccounted", BigInteger, nullable=False),
)

# The jobs with instants that a check found unaccounted for, each with the first of them.
ledger_findings = Table(
    "ledger_findings",
    metadata,
    Column("check_id", BigId, ForeignKey("ledger_checks.id", ondelete="CASCADE"), primary_key=True),
    Column("job_id", BigId, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("instants", BigInteger, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("scheduled_for", UtcInstant, nullable=False),
    CheckConstraint("kind IN ('missing', 'surplus')", name="kind"),
    Index("ix_ledger_findings_job", "job_id"),
)
