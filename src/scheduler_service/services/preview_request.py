"""What a client sends to preview a schedule."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.payloads.numbers import Whole
from scheduler_service.services.input_models import DefinitionModel
from scheduler_service.services.instants import Instant
from scheduler_service.services.schedule_fields import Calendars, Dst, ScheduleExpr, Shift, Timezone, check_end


class PreviewRequest(DefinitionModel):
    """A schedule to look at before it is given to a job."""

    schedule_expr: ScheduleExpr
    timezone: Timezone = "UTC"
    count: Annotated[int, Field(ge=1, le=1000, description="Number of instants, 1 to 1,000. Default 10."), Whole] = 10
    dst: Dst = DstPolicy()
    calendars: Calendars = []  # noqa: RUF012 (pydantic copies defaults)
    calendar_shift: Shift = "skip"
    start_at: Annotated[
        Instant | None, Field(description="The schedule fires from this instant on. Null: at once. Default null.")
    ] = None
    end_at: Annotated[
        Instant | None,
        Field(description="The schedule fires up to this instant, which must be later than `start_at`. Default null."),
    ] = None

    @field_validator("end_at")
    @classmethod
    def _is_after_the_start(cls, end_at: datetime | None, info: ValidationInfo) -> datetime | None:
        return check_end(end_at, info.data.get("start_at"))
