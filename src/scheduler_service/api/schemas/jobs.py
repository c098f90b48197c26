"""The response models of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, JsonValue, TypeAdapter

from scheduler_service.api import examples
from scheduler_service.domain.environment_lock import EnvironmentState
from scheduler_service.domain.records import Job
from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.domain.run_state import JobStatus, RunStatus
from scheduler_service.http.answers import Answer, Identified, PageNumber, PageSize, Total, with_all_fields
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_files import JobFiles
from scheduler_service.services.job_limits import JobLimits
from scheduler_service.services.job_mapping import document_of
from scheduler_service.services.schedules import Description


class JobOut(JobDefinition, Identified):
    """A job: its definition with all defaults, and its state.

    This class lists only the fields that a definition lacks.
    """

    model_config = ConfigDict(
        title="Job", strict=False, extra="ignore", json_schema_extra=with_all_fields(examples.JOB)
    )

    # As stored: a list shows only the type of a large payload, and the package of a kind may be uninstalled.
    payload: Annotated[  # type: ignore[assignment]
        dict[str, JsonValue], Field(description="What the job runs. `type` names the kind of payload.")
    ]
    environment_id: Annotated[
        str | None,
        Field(description="The lock of the job's requirements; see `GET /environments/{id}`. Null: it has none."),
    ]
    environment_state: Annotated[
        EnvironmentState | None,
        Field(description="`building`, `ready` or `failed`. Null: the job has no requirements."),
    ]
    status: Annotated[
        JobStatus,
        Field(description="`active`, `paused`, or `finished`: the schedule has no future instant."),
    ]
    pause_reason: Annotated[str | None, Field(description="Why the job is paused. Null: nobody said why.")]
    paused_until: Annotated[
        datetime | None, Field(description="When the paused job resumes. Null: it does so only on request.")
    ]
    next_run_at: Annotated[
        datetime | None,
        Field(description="Next instant of the schedule. Null if the job is paused, finished or runs on demand."),
    ]
    last_run_at: Annotated[
        datetime | None, Field(description="Start of the newest run that has ended. Null: none has ended yet.")
    ]
    last_run_status: Annotated[RunStatus | None, Field(description="Status of that run. Null: none has ended yet.")]
    schedule_description: Annotated[str, Field(description="The schedule in English.")]
    version: Annotated[
        int,
        Field(description="Counts the changes of the job, from 1. Runs do not count. The `ETag` begins with it."),
    ]
    created_at: Annotated[datetime, Field(description="When the job was created.")]
    updated_at: Annotated[datetime, Field(description="When the job was last changed. Runs do not count.")]
    warnings: Annotated[list[str], Field(description="What the owner of the job should know, in English.")]
    left_out: Annotated[
        list[str],
        Field(
            description="Fields that a list does not show because their JSON is longer than 16 KiB: `payload` then "
            "holds only its `type`, the others are empty. `GET /jobs/{id}` shows them."
        ),
    ]

    @classmethod
    def document(
        cls,
        job: Job,
        described: Description,
        warnings: Sequence[str] = (),
        environment_state: EnvironmentState | None = None,
    ) -> dict[str, Any]:
        """Return a job as the API shows it, for `to_json`. What was checked when it was stored is not checked again."""
        values = document_of(job)
        values |= {name: _complete(values[name], members, adapter) for name, (members, adapter) in _OF_MODELS.items()}
        # A default is written as a whole number, and SQLite returns what it was given.
        values |= {name: float(seconds) for name in _SECONDS if isinstance(seconds := values[name], int)}
        computed = {
            "environment_state": environment_state,
            "schedule_description": described.sentence,
            "warnings": (*described.warnings, *warnings),
        }
        return {
            name: values[name] if name in values else computed[name] if name in computed else getattr(job, name)
            for name in cls.model_fields
        }


def _complete(stored: Any, members: frozenset[str], adapter: TypeAdapter[Any]) -> Any:
    """Return an object with all members. One stored by an earlier version can lack some that have a default."""
    return stored if stored.keys() == members else adapter.validate_python(stored)


_SECONDS = tuple(
    name for name, field in JobDefinition.model_fields.items() if field.annotation in (float, float | None)
)
_OF_MODELS: Mapping[str, tuple[frozenset[str], TypeAdapter[Any]]] = {
    "limits": (frozenset(JobLimits.model_fields), TypeAdapter(JobLimits)),
    "retry_policy": (frozenset(field.name for field in fields(RetryPolicy)), TypeAdapter(RetryPolicy)),
    "files": (frozenset(), TypeAdapter(JobFiles)),
}


class JobPage(Answer):
    """One page of a list of jobs."""

    jobs: Annotated[list[JobOut], Field(description="The jobs of this page.")]
    total: Total
    page: PageNumber
    size: PageSize
