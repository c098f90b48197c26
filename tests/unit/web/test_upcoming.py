"""The next hour of the start page."""

from __future__ import annotations

from datetime import timedelta

from testkit.databases import NOON

from scheduler_service.domain.upcoming import DueMinute
from scheduler_service.web.views.upcoming import HEIGHT, SHOWN, upcoming

MINUTE = timedelta(minutes=1)


def minute(number: int, jobs: int) -> DueMinute:
    return DueMinute(NOON + number * MINUTE, jobs, number, f"job {number}")


def test_minute_with_more_jobs_than_slots_is_crowded() -> None:
    found = upcoming([minute(0, 4), minute(1, 5)], NOON, slots=4)
    assert [each.is_crowded for each in found.minutes] == [False, True]
    assert [each.has_begun for each in found.minutes] == [True, False], "it is told as now, not as past"
    assert found.minutes[1].due == "2026-01-15T12:01:00Z/2026-01-15T12:02:00Z"
    assert (found.minutes[1].x, found.minutes[1].height) == (10.0, HEIGHT)
    assert upcoming([minute(0, 1)], NOON, slots=0).crowded == 0


def test_first_and_most_crowded_minutes_are_shown_in_order() -> None:
    counts = [minute(number, 9 if number in {20, 40} else 1) for number in range(60)]
    found = upcoming(counts, NOON, slots=4)
    assert [each.count.job_id for each in found.shown] == [*range(SHOWN), 20, 40]
    assert (found.more, found.crowded) == (52, 2)
