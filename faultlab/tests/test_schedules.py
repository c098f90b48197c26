"""Cron patterns over three years of many zones, against an oracle that looks at every minute.

`python -m faultlab.schedules` compares 200 patterns in 40 zones; this is a sample of them.
"""

from __future__ import annotations

from functools import cache

import pytest
from faultlab.schedules import FIRST_YEAR, POLICIES, YEARS, ZONES, differences
from testkit.cron_oracle import WallClock, random_expression

from scheduler_service.domain.schedules.calendar_dst import DstPolicy

SAMPLE = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "UTC")


@cache
def clock_of(zone: str) -> WallClock:
    return WallClock(zone, FIRST_YEAR, YEARS)


def test_forty_zones_are_compared_by_command() -> None:
    assert len(set(ZONES)) == 40
    assert set(SAMPLE) <= set(ZONES)


@pytest.mark.parametrize("zone", SAMPLE)
def test_patterns_fire_as_the_oracle_says(zone: str) -> None:
    for number in range(12):
        policy = POLICIES[number % len(POLICIES)]
        assert differences(clock_of(zone), random_expression(number), policy) == []


def test_oracle_knows_what_clock_changes_do() -> None:
    clock = WallClock("Europe/Berlin", 2027, 1)
    in_gap, in_fold = "30 2 28 3 *", "30 2 31 10 *"
    counts = [
        len(clock.fires(in_gap, DstPolicy(gap="run_after"))),
        len(clock.fires(in_gap, DstPolicy(gap="skip"))),
        len(clock.fires(in_fold, DstPolicy(fold="first"))),
        len(clock.fires(in_fold, DstPolicy(fold="both"))),
        len(clock.fires("*/30 2 31 10 *", DstPolicy())),
    ]
    assert counts == [1, 0, 1, 2, 4]
