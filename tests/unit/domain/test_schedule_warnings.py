"""Warnings about schedules that may not do what they seem to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import Schedule, parse, warnings

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def schedule(expr: str, timezone: str = "Europe/Berlin", dst: DstPolicy = DstPolicy()) -> Schedule:  # noqa: B008 (frozen)
    return parse(expr, timezone=timezone, dst=dst, anchor_at=NOW)


def test_ordinary_schedule_has_no_warning() -> None:
    assert warnings(schedule("*/10 * * * *"), NOW) == ()
    assert warnings(schedule("0 9 * * *"), NOW) == ()
    assert warnings(schedule("30 2 * * *", "UTC"), NOW) == ()
    assert warnings(schedule("5m"), NOW) == ()
    assert warnings(schedule("2026-07-01T00:00"), NOW) == ()
    assert warnings(schedule("2026-03-29T12:00"), NOW) == ()


@pytest.mark.parametrize("expr", ["* * * * * *", "1s", "* 0-5 2 * * *"])
def test_warning_when_a_schedule_fires_every_second(expr: str) -> None:
    assert "It fires every second." in warnings(schedule(expr), NOW)


@pytest.mark.parametrize("expr", ["*/2 * * * * *", "2s", "* * * * *", "0-58 * * * * *"])
def test_no_warning_when_a_schedule_fires_less_often(expr: str) -> None:
    assert "It fires every second." not in warnings(schedule(expr), NOW)


def test_warning_when_all_instants_are_past() -> None:
    assert warnings(schedule("2025-12-31T00:00"), NOW) == (
        "It never fires again: all of its instants lie in the past.",
    )


def test_warning_when_the_first_instant_is_far() -> None:
    (warning,) = warnings(schedule("0 12 29 2 *"), NOW)
    assert warning == "It first fires in more than a year: at 2028-02-29 11:00:00 UTC."


@pytest.mark.parametrize(
    ("dst", "gap", "fold"),
    [
        (DstPolicy(), "does not exist: it fires at 03:00:00 instead", "happens twice: it fires the first time"),
        (
            DstPolicy("skip", "second"),
            "does not exist: it does not fire then",
            "happens twice: it fires the second time",
        ),
        (DstPolicy("skip", "both"), "does not exist: it does not fire then", "happens twice: it fires both times"),
    ],
)
def test_warning_when_a_fixed_time_is_in_a_gap_or_fold(dst: DstPolicy, gap: str, fold: str) -> None:
    first, second = warnings(schedule("30 2 * * *", dst=dst), NOW)
    assert first == f"On 2026-03-29 and 2027-03-28 02:30:00 in Europe/Berlin {gap} (dst.gap is {dst.gap})."
    assert second == f"On 2026-10-25 and 2027-10-31 02:30:00 in Europe/Berlin {fold} (dst.fold is {dst.fold})."


@pytest.mark.parametrize(
    ("expr", "times", "advice"),
    [
        (
            "*/15 2 * * *",
            "the 4 times from 02:00:00 to 02:45:00 in Europe/Berlin do|happen",
            "0-59/15 in place of */15",
        ),
        ("* 1-3 * * *", "the 60 times from 02:00:00 to 02:59:00 in Europe/Berlin do|happen", "0-59 in place of *"),
        ("0 */2 * * *", "02:00:00 in Europe/Berlin does|happens", "0-23/2 in place of */2"),
    ],
)
def test_warning_has_the_dates_when_steps_meet_clock_changes(expr: str, times: str, advice: str) -> None:
    gap, fold, without_effect = warnings(schedule(expr), datetime(2026, 11, 1, tzinfo=UTC))
    times, _, happen = times.rpartition("|")
    they, fire = ("they", "fire") if happen == "happen" else ("it", "fires")
    do = times.rpartition(" ")[2]
    assert gap == f"On 2027-03-28 and 2028-03-26 {times} not exist: {they} {do} not fire then."
    assert fold == f"On 2027-10-31 and 2028-10-29 {times.rpartition(' ')[0]} {happen} twice: {they} {fire} both times."
    assert without_effect.endswith(f"to let dst decide, write {advice}.")
    assert without_effect.startswith("dst has no effect on this pattern, which follows elapsed time because its ")


def test_warning_when_several_times_are_in_one_gap() -> None:
    gap, fold = warnings(schedule("0,30 2 * * *"), datetime(2026, 11, 1, tzinfo=UTC))
    assert gap == (
        "On 2027-03-28 and 2028-03-26 the 2 times from 02:00:00 to 02:30:00 in Europe/Berlin do not exist: "
        "they fire once, at 03:00:00 instead (dst.gap is run_after)."
    )
    assert "the 2 times from 02:00:00 to 02:30:00 in Europe/Berlin happen twice: they fire the first time" in fold


@pytest.mark.parametrize(
    ("expr", "timezone", "is_told"),
    [
        ("0 * * * *", "Europe/Berlin", False),
        ("*/10 * * * *", "Australia/Lord_Howe", False),  # whose clock moves by half an hour
        ("0 * * * *", "Australia/Lord_Howe", True),
        ("0 */2 * * *", "Europe/Berlin", True),
        ("*/15 4 * * *", "Europe/Berlin", False),
    ],
)
def test_elapsed_pattern_has_a_warning_only_when_changes_move_it(expr: str, timezone: str, *, is_told: bool) -> None:
    assert bool(warnings(schedule(expr, timezone), NOW)) == is_told


@pytest.mark.parametrize(
    ("expr", "timezone", "text"),
    [
        ("*/10 * * * *", "Europe/Berlin", "dst has no effect on this pattern, which follows elapsed time"),
        ("30 2 * * *", "UTC", "dst has no effect: the clock in UTC does not change within the next two years."),
        (
            "0 12 * * *",
            "Europe/Berlin",
            "dst has no effect: no clock change in Europe/Berlin removes or repeats a time",
        ),
        ("5m", "Europe/Berlin", "dst has no effect on an interval, which counts elapsed time."),
    ],
)
def test_warning_when_the_choice_of_dst_has_no_effect(expr: str, timezone: str, text: str) -> None:
    dst = DstPolicy("skip", "both")
    (warning,) = warnings(schedule(expr, timezone, dst), NOW, dst)
    assert warning.startswith(text)


def test_warning_only_when_the_pattern_matches_the_day_of_change() -> None:
    assert warnings(schedule("30 2 * * MON"), NOW) == ()
    assert len(warnings(schedule("30 2 * * SUN"), NOW)) == 2


def test_warning_for_each_change_when_a_year_has_several() -> None:
    # Cairo changed four times in 2014, around Ramadan.
    found = warnings(schedule("30 0,23 * * *", "Africa/Cairo"), datetime(2014, 1, 1, tzinfo=UTC))
    assert [warning[:13] for warning in found] == ["On 2014-05-16", "On 2014-06-26"]


@pytest.mark.parametrize(
    ("expr", "dst", "warning"),
    [
        ("2026-03-29T02:30", DstPolicy(), "does not exist: it fires at 03:00:00 instead"),
        ("2026-10-25T02:30", DstPolicy(), "it fires the first time"),
        ("2026-10-25T02:30", DstPolicy(fold="second"), "it fires the second time"),
        ("2026-10-25T02:30", DstPolicy(fold="both"), "the first time, because it fires once (dst.fold is both)"),
    ],
)
def test_warning_when_an_instant_is_in_a_gap_or_fold(expr: str, dst: DstPolicy, warning: str) -> None:
    (found,) = warnings(schedule(expr, dst=dst), NOW)
    assert warning in found


@pytest.mark.parametrize(
    ("expr", "warning", "interval"),
    [
        ("*/7 * * * *", "*/7 restarts each hour: from minute 56 to minute 0 it is 4 minutes, not 7", "7m"),
        ("*/7 9-17 * * *", "*/7 restarts each hour: from minute 56 to minute 0 it is 4 minutes, not 7", ""),
        ("5/40 * * * *", "5/40 restarts each hour: from minute 45 to minute 5 it is 20 minutes, not 40", "40m"),
        ("*/25 * * * * *", "*/25 restarts each minute: from second 50 to second 0 it is 10 seconds, not 25", "25s"),
        ("0 */7 * * *", "*/7 restarts each day: from hour 21 to hour 0 it is 3 hours, not 7", "7h"),
        ("0 */7 * * 1-5", "*/7 restarts each day: from hour 21 to hour 0 it is 3 hours, not 7", ""),
        ("0 0 */2 * *", "*/2 restarts each month: in one of 31 days, from day 31 to day 1 it is 1 day, not 2", "2d"),
        ("0 0 */3 1-2 *", "*/3 restarts each month: in one of 31 days, from day 31 to day 1 it is 1 day, not 3", ""),
        ("0 0 1 */5 *", "*/5 restarts each year: from month 11 to month 1 it is 2 months, not 5", ""),
    ],
)
def test_warning_when_steps_do_not_divide_their_range(expr: str, warning: str, interval: str) -> None:
    remedy = f"; for even spans write the interval {interval}" if interval else ""
    assert warnings(schedule(expr, "UTC"), NOW) == (f"{warning}{remedy}.",)


@pytest.mark.parametrize(
    ("expr", "day", "months"),
    [
        ("0 0 31 * *", 31, "February, April, June, September, November"),
        ("0 0 30 1-3 *", 30, "February"),
        ("0 0 15,29 * *", 29, "February but in leap years"),
    ],
)
def test_warning_when_some_months_lack_the_day(expr: str, day: int, months: str) -> None:
    assert warnings(schedule(expr, "UTC"), NOW) == (
        f"Months without a day {day} leave it out ({months}); L is the last day of every month.",
    )


def test_warning_when_both_day_fields_are_restricted() -> None:
    assert warnings(schedule("0 0 13 * FRI", "UTC"), NOW) == (
        "With day-of-month and day-of-week, it fires on days that match either, not only on days that match both.",
    )


@pytest.mark.parametrize(
    "expr",
    [
        "*/10 * * * *", "0 */6 * * *", "0 0 1 */3 *", "*/30 * * * * *", "0 0 */1 * *",
        "*/7 3 * * *", "*/7 */2 * * *", "0 */7 * * MON", "0 */7 1 * *", "0 0 */2 2 *", "0 0 */2 * MON",
        "0 0 31 1,3 *", "0 0 28 * *", "0 0 L * *", "0 0 1-31 * *", "0 0 13 * *", "0 0 * * FRI",
    ],
)  # fmt: skip
def test_no_warning_when_a_pattern_means_what_it_reads(expr: str) -> None:
    assert warnings(schedule(expr, "UTC"), NOW) == ()


@pytest.mark.parametrize("expr", ["1d", "2w", "24h", "P1D"])
def test_warning_when_an_interval_counts_days_as_24_hours(expr: str) -> None:
    (warning,) = warnings(schedule(expr), NOW)
    assert warning == (
        "A day in an interval is 24 hours: from 2026-03-29 on, when the clock in Europe/Berlin changes, it fires at "
        "another time of day; for the same time each day, write a cron pattern."
    )


@pytest.mark.parametrize(("expr", "timezone"), [("1d", "UTC"), ("1d", "Asia/Kathmandu"), ("12h", "Europe/Berlin")])
def test_no_warning_when_no_clock_change_shifts_an_interval(expr: str, timezone: str) -> None:
    assert warnings(schedule(expr, timezone), NOW) == ()
