"""Jobs, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, JsonValue

from scheduler_service.api import examples
from scheduler_service.domain.firing import MisfirePolicy, OverlapPolicy
from scheduler_service.domain.records import Job
from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.domain.run_state import JobStatus, RunStatus
from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.http.answers import Answer
from scheduler_service.services.job_definition import JobLimits
from scheduler_service.services.job_mapping import document_of
from scheduler_service.services.schedules import Description


class JobOut(Answer):
    """A job: its definition with all defaults, and how it stands."""

    model_config = ConfigDict(title="Job", json_schema_extra={"examples": [examples.JOB]})

    id: int
    name: str
    schedule_expr: str
    timezone: str
    payload: Annotated[dict[str, JsonValue], Field(description="What the job runs, by its `type`.")]
    retry_policy: RetryPolicy
    owner_id: str
    description: str
    tags: list[str]
    enabled: Annotated[bool, Field(description="False while the job is paused.")]
    priority: int
    timeout_seconds: float
    limits: JobLimits
    overlap_policy: OverlapPolicy
    max_concurrency: int
    misfire_policy: MisfirePolicy
    misfire_grace_seconds: float
    catchup_limit: int
    dst: DstPolicy
    start_at: datetime | None
    end_at: datetime | None
    jitter_seconds: float
    env: dict[str, str]
    args: dict[str, JsonValue]
    status: Annotated[JobStatus, Field(description="`finished`: the schedule names no instant any more.")]
    next_run_at: Annotated[datetime | None, Field(description="Null while paused and once finished.")]
    last_run_at: datetime | None
    last_run_status: RunStatus | None
    schedule_description: Annotated[str, Field(description="The schedule in English.")]
    version: Annotated[
        int, Field(description="Rises with each change of the job, not with its runs; the `ETag` begins with it.")
    ]
    created_at: datetime
    updated_at: datetime
    warnings: Annotated[list[str], Field(description="What the owner of this job should know.")]
    left_out: Annotated[
        list[str],
        Field(
            description="Fields that a list does not show because their JSON is longer than 16 KiB: `payload` holds "
            "only its `type` then, `env` and `args` are empty. `GET /jobs/{id}` shows them."
        ),
    ]

    @classmethod
    def of(cls, job: Job, described: Description) -> Self:
        """Show a job."""
        standing = {name: getattr(job, name) for name in _STANDING}
        return cls(
            **document_of(job),
            **standing,
            schedule_description=described.sentence,
            warnings=list(described.warnings),
            left_out=list(job.left_out),
        )


_STANDING = (
    "id", "status", "next_run_at", "last_run_at", "last_run_status", "version", "created_at", "updated_at",
)  # fmt: skip


class JobPage(Answer):
    """One page of a list of jobs."""

    jobs: list[JobOut]
    total: Annotated[int, Field(description="How many jobs the whole list has.")]
    page: int
    size: int
