"""What a client sends to backfill a job."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from scheduler_service.domain.backfill import Only, Order
from scheduler_service.payloads.numbers import Whole
from scheduler_service.services.input_models import DefinitionModel
from scheduler_service.services.inspection import inspect
from scheduler_service.services.instants import Instant
from scheduler_service.services.json_document import JsonDocument

MAX_RUNS = 10_000


class BackfillRequest(DefinitionModel):
    """A window of past instants, and which of them are run."""

    model_config = ConfigDict(title="Backfill", populate_by_name=True)

    begin: Annotated[Instant, Field(alias="from", description="First instant of the window.")]
    end: Annotated[
        Instant, Field(alias="to", description="Last instant of the window, not earlier than `from`, and not to come.")
    ]
    only: Annotated[
        Only,
        Field(
            description="`missed`: instants without a run, which were missed, skipped or not owed, such as those "
            "before the job existed. `failed`: instants whose newest run failed. `all`: every instant whose "
            "run has ended. Default `missed`."
        ),
    ] = "missed"
    dry_run: Annotated[bool, Field(description="Only list what would be run. Default false.")] = False
    max_runs: Annotated[
        int,
        Field(ge=1, le=MAX_RUNS, description="The budget: at most this many runs, 1 to 10,000. Default 100."),
        Whole,
    ] = 100
    order: Annotated[
        Order,
        Field(
            description="Which instants are run first, and are chosen if there are too many. Default `oldest_first`."
        ),
    ] = "oldest_first"

    @field_validator("end")
    @classmethod
    def _is_not_before_the_begin(cls, end: datetime, info: ValidationInfo) -> datetime:
        begin = info.data.get("begin")
        if begin is not None and end < begin:
            raise ValueError("must not be earlier than from")
        return end


def read_backfill_request(document: JsonDocument) -> BackfillRequest:
    """Return the request in a document. Raise `RejectedError` with all problems."""
    return inspect(BackfillRequest, document, {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}).accept()
