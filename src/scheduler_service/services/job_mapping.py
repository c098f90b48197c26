"""Between a definition, as a client writes it, and the columns of a stored job."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.services.job_definition import JobDefinition

_COPIED = (
    "name", "schedule_expr", "timezone", "owner_id", "description", "tags", "priority", "timeout_seconds",
    "overlap_policy", "max_concurrency", "misfire_policy", "misfire_grace_seconds", "catchup_limit", "start_at",
    "end_at", "jitter_seconds", "env", "args",
)  # fmt: skip
_DUMPED = ("payload", "retry_policy", "limits")


def columns_of(definition: JobDefinition) -> dict[str, Any]:
    """Return the columns that a definition sets, less the status and what follows from the schedule."""
    dumped = definition.model_dump(mode="json", include=set(_DUMPED))
    copied = {name: getattr(definition, name) for name in _COPIED}
    return {**copied, **dumped, "dst_gap": definition.dst.gap, "dst_fold": definition.dst.fold}


def document_of(job: Job) -> dict[str, JsonValue]:
    """Return a stored job as the JSON document that a client would have sent for it."""
    document: dict[str, Any] = {name: getattr(job, name) for name in (*_COPIED, *_DUMPED)}
    document["dst"] = {"gap": job.dst_gap, "fold": job.dst_fold}
    document["enabled"] = job.status is not JobStatus.PAUSED
    return document
