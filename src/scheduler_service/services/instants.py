"""Instants in requests, converted to UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from scheduler_service.domain.schedules.calendar_dst import FIRST_YEAR, LAST_YEAR

_DATE = re.compile(r"\d{4}-")


def _is_written(value: object) -> object:
    # pydantic would read numbers as seconds since 1970.
    if not (isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value))):
        raise ValueError("not an instant; write it as 2026-12-31T23:59:59Z")
    return value


def _in_utc(value: datetime) -> datetime:
    # Beyond these years, adding an offset or a span exceeds the range of datetime.
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
    return value.astimezone(UTC)


Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_is_written), AfterValidator(_in_utc)]
