"""The fields of a schedule, which jobs and previews share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from scheduler_service.domain.calendars import CALENDAR_NAME, CalendarShift
from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.payloads.stored_text import Storable

ScheduleExpr = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True), Storable] | None,
    Field(
        description="When the job runs, up to 256 characters: a cron pattern of five fields, or six with seconds first "
        "(`*/10 * * * *`), a name (`@hourly`), an interval (`1h30m`), or one instant (`2026-12-31T23:59:59Z`). "
        "Null: the job runs on demand.",
    ),
]
Timezone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    Storable,
    Field(description="Time zone of the schedule, an IANA name such as `Europe/Berlin`. Default `UTC`."),
]
Dst = Annotated[
    DstPolicy,
    Field(
        description="What happens to fixed times that a clock change removes or repeats. "
        "Default: run removed times right after the change, and repeated times once."
    ),
]
CalendarName = Annotated[str, StringConstraints(pattern=f"^-?{CALENDAR_NAME}$")]
Calendars = Annotated[
    list[CalendarName],
    Field(
        max_length=16,
        description="Up to 16 calendars. The job runs on their days; those of a calendar with a minus sign are "
        "excluded: `business-days`, `-de-BY-holidays`. Calendars of the owner and built-in ones count. "
        "Default: every day.",
    ),
    AfterValidator(lambda names: list(dict.fromkeys(names))),
]
Shift = Annotated[
    CalendarShift,
    Field(
        description="What happens to an instant on an excluded day: `skip` skips it, `next_day` lets its run wait "
        "for the same time on the next allowed day. A waiting run counts for `overlap_policy`. Default `skip`."
    ),
]


def check_end(end_at: datetime | None, start_at: datetime | None) -> datetime | None:
    """Return the end of a schedule. Raise `ValueError` if it is not later than the start."""
    if end_at is not None and start_at is not None and end_at <= start_at:
        raise ValueError("must be later than start_at")
    return end_at
