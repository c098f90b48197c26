"""Intervals: lengths of time, and instants that never drift from their anchor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from scheduler_service.domain.schedules.interval import Interval, read_interval

ANCHOR = datetime(2026, 3, 29, 0, 30, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("1s", timedelta(seconds=1)),
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("90m", timedelta(minutes=90)),
        ("1h", timedelta(hours=1)),
        ("1h30m", timedelta(minutes=90)),
        ("1h 30m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(days=7)),
        ("1w1d1h1m1s", timedelta(days=8, hours=1, minutes=1, seconds=1)),
        ("3650d", timedelta(days=3650)),
        ("0h5m", timedelta(minutes=5)),
        ("PT5M", timedelta(minutes=5)),
        ("pt5m", timedelta(minutes=5)),
        ("P1DT2H", timedelta(hours=26)),
        ("P1W", timedelta(days=7)),
        ("P2D", timedelta(days=2)),
        ("PT1H30M15S", timedelta(hours=1, minutes=30, seconds=15)),
    ],
)
def test_interval_is_read_from_text(text: str, every: timedelta) -> None:
    assert read_interval(text) == every


def test_first_instant_is_one_interval_after_the_anchor() -> None:
    every = timedelta(minutes=5)
    assert Interval(every, ANCHOR).next_after(ANCHOR) == ANCHOR + every
    assert Interval(every, ANCHOR).next_after(ANCHOR - timedelta(days=9)) == ANCHOR + every


def test_interval_does_not_drift() -> None:
    schedule = Interval(timedelta(seconds=7), ANCHOR)
    late = ANCHOR + 1_000_000 * schedule.every + timedelta(seconds=6.9)
    assert schedule.next_after(late) == ANCHOR + 1_000_001 * schedule.every


def test_interval_follows_elapsed_time_through_a_clock_change() -> None:
    found = list(islice(Interval(timedelta(hours=1), ANCHOR).between(ANCHOR, ANCHOR + timedelta(hours=4)), 9))
    assert [(instant - ANCHOR) / timedelta(hours=1) for instant in found] == [1, 2, 3, 4]


def test_interval_ends_at_the_end_of_the_calendar() -> None:
    schedule = Interval(timedelta(days=3650), ANCHOR)
    last = schedule.last_between(ANCHOR, datetime.max.replace(tzinfo=UTC))
    assert last is not None
    assert schedule.next_after(last) is None
