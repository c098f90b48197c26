"""Converts between job definitions and the columns of stored jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import JsonValue

from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.services.job_definition import JobDefinition

_WITHOUT_COLUMN = frozenset({"dst", "enabled"})


def columns_of(definition: JobDefinition) -> dict[str, Any]:
    """Return the columns of a definition, without the status and the columns derived from the schedule."""
    columns = definition.model_dump(mode="json", exclude=set(_WITHOUT_COLUMN))
    # Columns of instants need datetime values, not JSON text.
    instants = {name: value for name, value in definition if isinstance(value, datetime)}
    return {**columns, **instants, "dst_gap": definition.dst.gap, "dst_fold": definition.dst.fold}


def document_of(job: Job) -> dict[str, JsonValue]:
    """Return a stored job as the JSON document that a client would have sent."""
    document: dict[str, Any] = {
        name: getattr(job, name) for name in JobDefinition.model_fields if name not in _WITHOUT_COLUMN
    }
    document["dst"] = {"gap": job.dst_gap, "fold": job.dst_fold}
    document["enabled"] = job.status is not JobStatus.PAUSED
    return document
