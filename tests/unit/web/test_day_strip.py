"""The next 24 hours of a schedule, drawn beside the editor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_service.web.views.day_strip import WIDTH, day_strip

MORNING = datetime(2026, 1, 15, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_instants_lie_to_scale_and_later_ones_are_left_out() -> None:
    strip = day_strip([(MORNING + 6 * HOUR, False), (MORNING + 24 * HOUR, False)], MORNING, ZoneInfo("Europe/Berlin"))
    (mark,) = strip.marks
    assert (mark.x, mark.clock) == (WIDTH / 4, "13:00")


def test_hours_are_those_of_a_zone_with_half_an_hour() -> None:
    ticks = day_strip([], MORNING, ZoneInfo("Asia/Kolkata")).ticks
    assert [tick.clock for tick in ticks] == ["12", "15", "18", "21", "00", "03", "06", "09"]
    assert ticks[0].x == WIDTH / 48, "noon in Kolkata is at 06:30 UTC"


def test_hours_follow_a_clock_change_within_the_day() -> None:
    before = datetime(2026, 3, 28, 23, tzinfo=UTC)
    ticks = day_strip([], before, ZoneInfo("Europe/Berlin")).ticks
    assert [(tick.clock, tick.x) for tick in ticks][:2] == [("00", 0.0), ("03", 30.0)], "two hours apart"
