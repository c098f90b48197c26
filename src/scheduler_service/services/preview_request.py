"""What a client sends to preview a schedule."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.payloads.numbers import Whole
from scheduler_service.services.input_models import DefinitionModel
from scheduler_service.services.schedule_fields import Calendars, Dst, ScheduleExpr, Shift, Timezone


class PreviewRequest(DefinitionModel):
    """A schedule to look at before it is given to a job."""

    schedule_expr: ScheduleExpr
    timezone: Timezone = "UTC"
    count: Annotated[int, Field(ge=1, le=1000, description="Number of instants, 1 to 1,000. Default 10."), Whole] = 10
    dst: Dst = DstPolicy()
    calendars: Calendars = []  # noqa: RUF012 (pydantic copies defaults)
    calendar_shift: Shift = "skip"
