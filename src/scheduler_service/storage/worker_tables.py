"""The table of workers."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, String, Table, Text

from scheduler_service.domain.run_state import WorkerState
from scheduler_service.storage.tables import metadata, one_of
from scheduler_service.storage.types import BigId, EnumText, Json, UtcInstant

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("state", EnumText(WorkerState), nullable=False),
    Column("slots", Integer, nullable=False),
    Column("busy", Integer, nullable=False),
    # Observers check on their own monotonic clocks whether this changes. Wall clocks are never compared.
    Column("beats", BigId, nullable=False),
    Column("started_at", UtcInstant, nullable=False),
    Column("seen_at", UtcInstant, nullable=False),
    Column("sandbox_level", String(16)),
    Column("grants", Json, nullable=False, server_default="[]"),
    Column("tags", Json, nullable=False, server_default="[]"),
    # When a user asked the worker to claim no more runs. NULL: nobody has.
    Column("drain_requested_at", UtcInstant),
    # Why the worker claims no runs: the error of its sandbox. NULL: it claims runs.
    Column("unfit_reason", Text),
    # Its name in Celery monitors, such as Flower. NULL: the service runs it itself.
    Column("monitor_name", Text),
    CheckConstraint(one_of("state", WorkerState), name="state"),
)
