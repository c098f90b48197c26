"""What a client sends to pause a job."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.payloads.stored_text import Storable
from scheduler_service.services.input_models import DefinitionModel
from scheduler_service.services.inspection import inspect
from scheduler_service.services.instants import Instant
from scheduler_service.services.json_document import JsonDocument


class PauseRequest(DefinitionModel):
    """Why a job is paused, and until when. The body may be left out."""

    model_config = ConfigDict(title="Pause")

    reason: Annotated[
        Annotated[str, StringConstraints(max_length=500), Storable] | None,
        Field(description="Why the job is paused, up to 500 characters. Default null."),
    ] = None
    until: Annotated[
        Instant | None,
        Field(description="The job resumes at this instant. Null: it stays paused until it is resumed. Default null."),
    ] = None

    def columns(self, now: datetime) -> dict[str, Any]:
        """Return the columns of the paused job. Raise `InvalidInputError` if `until` has passed."""
        if self.until is not None and self.until <= now:
            raise InvalidInputError(FieldProblem("until", "must lie in the future, or be null", iso8601(self.until)))
        return {"pause_reason": self.reason, "paused_until": self.until}


def read_pause_request(document: JsonDocument) -> PauseRequest:
    """Return the request in a document. Raise `RejectedError` with all problems."""
    return inspect(PauseRequest, document, {}).accept()
