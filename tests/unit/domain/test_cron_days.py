"""The days of a month that match a pattern are those of cronsim."""

from __future__ import annotations

import random
from calendar import monthrange
from datetime import date, datetime

import pytest
from cronsim import CronSim

from scheduler_service.domain.schedules.cron_fields import CronFields

DAYS = ["*", "*/2", "*/7", "1", "15", "31", "29,30", "1-15", "10-20/3", "L", "LW", "1,L", "5,LW"]
WEEKDAYS = [
    "*",
    "*/2",
    "0",
    "7",
    "1-5",
    "5-7",
    "SUN",
    "MON,WED",
    "MON#1",
    "FRI#5",
    "0#2",
    "7#2",
    "5L",
    "0L",
    "7L",
    "1,5L",
]
SEED = random.Random(14)  # noqa: S311 (cases, not secrets)


@pytest.mark.parametrize("weekday", WEEKDAYS)
@pytest.mark.parametrize("day", DAYS)
def test_days_of_months_are_those_of_cronsim(day: str, weekday: str) -> None:
    expr = f"0 0 {day} * {weekday}"
    reference, fields = CronSim(expr, datetime(2000, 1, 1)), CronFields.read(expr)  # noqa: DTZ001 (wall clock)
    for year, month in {(SEED.randrange(1900, 2400), SEED.randrange(1, 13)) for _ in range(12)}:
        days = range(1, monthrange(year, month)[1] + 1)
        expected = tuple(number for number in days if reference.match_day(date(year, month, number)))
        assert fields.days_in(year, month) == expected, (year, month)
