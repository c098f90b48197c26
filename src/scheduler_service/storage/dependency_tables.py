"""The tables of jobs that run after other jobs."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table

from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, EnumText, Json

# The rows of the field `after` of each job, and what the present round has brought of each upstream job.
job_dependencies = Table(
    "job_dependencies",
    metadata,
    Column("job_id", BigId, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("upstream_id", BigId, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("awaited_end", String(8), nullable=False),
    # The latest run of the upstream job that ended in this round, and its result. NULL: none has.
    Column("run_id", BigId),
    Column("status", EnumText(RunStatus)),
    Column("result", Json),
    # The newest note of `ended_upstreams` from before the edge: its run and earlier ones are no ends for the job.
    Column("noted_after", BigId, nullable=False, server_default="0"),
    Index("ix_job_dependencies_upstream", "upstream_id"),
)

# Runs that have ended and after which other jobs may run. Database triggers add them in the transaction that ends the
# run, so none is forgotten; a dispatcher removes them.
ended_upstreams = Table(
    "ended_upstreams",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("run_id", BigId, nullable=False),
    Column("job_id", BigId, nullable=False),
    sqlite_autoincrement=True,  # edges remember ids, so the id of a removed note must not be used again
)

# The run after which a run began, and the results that it receives.
run_upstreams = Table(
    "run_upstreams",
    metadata,
    Column("run_id", BigId, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("upstream_run_id", BigId, nullable=False),
    Column("input", Json),
    Index("ix_run_upstreams_upstream", "upstream_run_id"),
)
