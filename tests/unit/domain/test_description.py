"""Schedules in English, and the warnings about what may surprise."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.calendar_dst import DstPolicy
from scheduler_service.domain.schedule import Schedule, describe, parse, warnings
from scheduler_service.errors import InvalidInputError

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def schedule(expr: str, timezone: str = "Europe/Berlin", dst: DstPolicy = DstPolicy()) -> Schedule:  # noqa: B008 (frozen)
    return parse(expr, timezone=timezone, dst=dst, anchor_at=NOW)


@pytest.mark.parametrize(
    ("expr", "sentence"),
    [
        ("*/10 * * * *", "Every 10 minutes (Europe/Berlin)"),
        ("30 14 * * mon-fri", "At 14:30, Monday through Friday (Europe/Berlin)"),
        ("@daily", "At 00:00 (Europe/Berlin)"),
        ("0 0 L * *", "At 00:00, on the last day of the month (Europe/Berlin)"),
        ("0 0 LW * *", "At 00:00, on the last weekday of the month (Europe/Berlin)"),
        ("0 0 * * 5L", "At 00:00, on the last Friday of the month (Europe/Berlin)"),
        ("0 0 * * MON#2", "At 00:00, on the second Monday of the month (Europe/Berlin)"),
        ("0 0 1 * MON", "At 00:00, on day 1 of the month, or on Monday (Europe/Berlin)"),
        ("0 0 13 * MON#1", "At 00:00, on day 13 of the month, or on the first Monday of the month (Europe/Berlin)"),
        ("0 0 13 * 5L", "At 00:00, on day 13 of the month, or on the last Friday of the month (Europe/Berlin)"),
        ("0 0 */2 * MON", "At 00:00, every 2 days, and only on Monday (Europe/Berlin)"),
        ("*/5 * * * * *", "Every 5 seconds (Europe/Berlin)"),
        ("30s", "Every 30 seconds, counted from 2026-01-01 12:00:00 UTC"),
        ("1h", "Every hour, counted from 2026-01-01 12:00:00 UTC"),
        ("1d1h1m", "Every 1 day 1 hour 1 minute, counted from 2026-01-01 12:00:00 UTC"),
        ("1w", "Every 7 days, counted from 2026-01-01 12:00:00 UTC"),
        ("2026-12-31T23:59:59Z", "Once, at 2026-12-31 23:59:59 UTC"),
        ("2026-12-31T23:59", "Once, at 2026-12-31 23:59:00 (Europe/Berlin)"),
    ],
)
def test_describes_a_schedule_in_english(expr: str, sentence: str) -> None:
    assert describe(schedule(expr)) == sentence


@pytest.mark.parametrize("expr", ["0 0 * * 0-7", "0 0 1,LW * 1#1,5L", "*/1 0-0 1-31/31 * 7", "0 0 31-31 * *"])
def test_describes_odd_patterns_too(expr: str) -> None:
    assert describe(schedule(expr)).endswith("(Europe/Berlin)")


@pytest.mark.parametrize("expr", ["*,5 * * * *", "0 0 1,L * *", "0 0 * * 1,5L", "0 0 * * 1,3#2", "0 0 * * 4/3"])
def test_names_the_pattern_where_a_sentence_would_be_false(expr: str) -> None:
    assert describe(schedule(expr)) == f"At the times of the cron pattern {expr} (Europe/Berlin)"


def test_names_the_pattern_where_there_is_no_sentence_for_it() -> None:
    assert describe(schedule("7 14/14,0 * * *")) == "At the times of the cron pattern 7 14/14,0 * * * (Europe/Berlin)"


cron_texts = st.tuples(
    *[st.sampled_from(["*", "*/7", "1", "1-5", "1,3", "1-6/2", "2/3"]) for _ in range(3)],
    st.sampled_from(["*", "L", "LW", "1", "1,L", "1-5,LW", "*/31"]),
    st.sampled_from(["*", "JAN", "1-6/2", "2/3", "JAN-MAR,12"]),
    st.sampled_from(["*", "0", "7", "5L", "MON#2", "MON-FRI", "1,3#1,5L", "*/2", "2/3", "0-7"]),
)


@settings(deadline=None, max_examples=200)
@given(fields=cron_texts)
def test_describes_any_valid_pattern(fields: tuple[str, ...]) -> None:
    try:
        valid = schedule(" ".join(fields))
    except InvalidInputError:  # the day fields exclude each other
        return
    assert describe(valid).endswith("(Europe/Berlin)")


def test_an_ordinary_schedule_raises_no_warning() -> None:
    assert warnings(schedule("*/10 * * * *"), NOW) == ()
    assert warnings(schedule("0 9 * * *"), NOW) == ()
    assert warnings(schedule("30 2 * * *", "UTC"), NOW) == ()
    assert warnings(schedule("5m"), NOW) == ()
    assert warnings(schedule("2026-07-01T00:00"), NOW) == ()
    assert warnings(schedule("2026-03-29T12:00"), NOW) == ()


@pytest.mark.parametrize("expr", ["* * * * * *", "1s", "* 0-5 2 * * *"])
def test_warns_of_what_fires_every_second(expr: str) -> None:
    assert "It fires every second." in warnings(schedule(expr), NOW)


@pytest.mark.parametrize("expr", ["*/2 * * * * *", "2s", "* * * * *", "0-58 * * * * *"])
def test_does_not_warn_of_what_fires_less_often(expr: str) -> None:
    assert "It fires every second." not in warnings(schedule(expr), NOW)


def test_warns_of_a_past_instant() -> None:
    assert warnings(schedule("2025-12-31T00:00"), NOW) == (
        "It never fires again: all of its instants lie in the past.",
    )


def test_warns_of_a_far_first_instant() -> None:
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
def test_warns_of_a_fixed_time_in_gap_and_fold(dst: DstPolicy, gap: str, fold: str) -> None:
    first, second = warnings(schedule("30 2 * * *", dst=dst), NOW)
    assert first == f"On 2026-03-29 02:30:00 in Europe/Berlin {gap} (dst.gap is {dst.gap})."
    assert second == f"On 2026-10-25 02:30:00 in Europe/Berlin {fold} (dst.fold is {dst.fold})."


def test_warns_of_clock_changes_only_on_days_that_match() -> None:
    assert warnings(schedule("30 2 * * MON"), NOW) == ()
    assert len(warnings(schedule("30 2 * * SUN"), NOW)) == 2


def test_warns_of_each_sort_of_change_once_where_a_year_has_several() -> None:
    # Cairo changed four times in 2014, around Ramadan.
    found = warnings(schedule("30 0,23 * * *", "Africa/Cairo"), datetime(2014, 1, 1, tzinfo=UTC))
    assert [warning[:13] for warning in found] == ["On 2014-05-16", "On 2014-06-26"]


@pytest.mark.parametrize(
    ("expr", "dst", "warning"),
    [
        ("2026-03-29T02:30", DstPolicy(), "does not exist: it fires at 03:00:00 instead"),
        ("2026-10-25T02:30", DstPolicy(), "it fires the first time"),
        ("2026-10-25T02:30", DstPolicy(fold="second"), "it fires the second time"),
        ("2026-10-25T02:30", DstPolicy(fold="both"), "the first time, since it fires once (dst.fold is both)"),
    ],
)
def test_warns_of_an_instant_written_into_a_clock_change(expr: str, dst: DstPolicy, warning: str) -> None:
    (found,) = warnings(schedule(expr, dst=dst), NOW)
    assert warning in found
