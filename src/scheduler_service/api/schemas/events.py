"""Events, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from scheduler_service.domain.events import Event
from scheduler_service.domain.run_state import Reason
from scheduler_service.http.answers import Answer


class EventOut(Answer):
    """A change of a job or of a run."""

    type: Annotated[str, Field(description="`job.` or `run.` and what happened, such as `run.success`.")]
    at: Annotated[datetime, Field(description="When it happened.")]
    job_id: Annotated[int, Field(description="Identifier of the job.")]
    job_name: Annotated[str | None, Field(description="Name of the job. Null: the job is gone.")]
    owner_id: Annotated[str | None, Field(description="Owner of the job. Null: the job is gone.")]
    run_id: Annotated[int | None, Field(description="Identifier of the run. Null for events of jobs.")]
    attempt: Annotated[
        int | None, Field(description="Number of the attempt, counted from 1. Null: not about an attempt.")
    ]
    reason: Annotated[Reason | None, Field(description="Why a run ended without success. Null: no reason.")]
    duration_seconds: Annotated[
        float | None, Field(description="Duration of the attempt, in seconds. Null: it has not ended.")
    ]
    lateness_seconds: Annotated[
        float | None,
        Field(description="Time from the scheduled instant to the start, in seconds. Null: not about a start."),
    ]
    missed_count: Annotated[
        int | None, Field(description="Number of instants that a `missed` row stands for. Null for other events.")
    ]
    correlation_id: Annotated[
        str | None, Field(description="Follows the run through logs and requests. Null for events of jobs.")
    ]

    @classmethod
    def of(cls, event: Event) -> Self:
        """Show an event."""
        copied = {name: getattr(event, name) for name in cls.model_fields if name != "type"}
        return cls(type=f"{event.subject}.{event.change}", **copied)
