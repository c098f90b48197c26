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

    type: Annotated[str, Field(description="`job.` or `run.` and what became of it, such as `run.success`.")]
    at: datetime
    job_id: int
    job_name: str | None
    owner_id: str | None
    run_id: int | None
    attempt: int | None
    reason: Reason | None
    duration_seconds: float | None
    lateness_seconds: float | None
    missed_count: int | None
    correlation_id: str | None

    @classmethod
    def of(cls, event: Event) -> Self:
        """Show an event."""
        copied = {name: getattr(event, name) for name in cls.model_fields if name != "type"}
        return cls(type=f"{event.subject}.{event.change}", **copied)
