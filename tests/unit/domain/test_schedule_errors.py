"""Errors for bad schedules: the field, what is wrong, and what to write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import Cron, parse
from scheduler_service.errors import FieldProblem, InvalidInputError

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
SKIP = DstPolicy(gap="skip")


def refusal(expr: str, timezone: str = "UTC", dst: DstPolicy = DstPolicy()) -> FieldProblem:  # noqa: B008 (frozen)
    with pytest.raises(InvalidInputError) as caught:
        parse(expr, timezone=timezone, dst=dst, anchor_at=ANCHOR)
    (problem,) = caught.value.problems
    return problem


BAD = [
    # nothing, or something else
    ("", "empty"),
    ("   \t\n", "empty"),
    ("abc", "not a schedule; write a cron pattern"),
    ("every day", "not a schedule"),
    ("null", "not a schedule"),
    ("*", "not a schedule"),
    ("* *", "not a schedule"),
    ("\0", "not ASCII"),
    ("* * * * \0", "not ASCII"),
    ("\ud800 * * * *", "not ASCII"),
    ("\uff15m", "not ASCII"),
    ("0 0 * * \u216f", "not ASCII"),
    ("*\u00a0* * * *", "not ASCII"),
    ("* " * 500, "longer than 256"),
    ("1" * 100_000, "longer than 256"),
    # the number of cron fields
    ("* * *", "5 fields, or 6 with seconds first, and this has 3"),
    ("0 9 * *", "this has 4"),
    ("0 0 0 1 1 * 2026", "no year here; write 0 0 1 1 *"),
    # minute
    ("60 * * * *", "minute field '60': write 0-59"),
    ("-1 * * * *", "minute field '-1'"),
    ("1.5 * * * *", "minute field '1.5'"),
    ("a * * * *", "minute field 'a'"),
    ("1,,2 * * * *", "minute field '1,,2'"),
    ("1, * * * *", "minute field '1,'"),
    (", * * * *", "minute field ','"),
    ("5-3 * * * *", "cannot run backwards; write two, such as 5-59,0-3"),
    ("1-2-3 * * * *", "minute field '1-2-3'"),
    ("1- * * * *", "minute field '1-'"),
    ("*/0 * * * *", "a step must be at least 1"),
    ("*/ * * * *", "minute field '*/'"),
    ("/5 * * * *", "minute field '/5'"),
    ("*/5/2 * * * *", "minute field '*/5/2'"),
    ("*/-5 * * * *", "minute field '*/-5'"),
    ("*/61 * * * *", "a step of 61 leaves the field, which has 60 values"),
    ("0/9999999999 * * * *", "minute field '0/9999999999'"),
    ("*5 * * * *", "minute field '*5'"),
    ("** * * * *", "minute field '**'"),
    ("L * * * *", "minute field 'L'"),
    ("? * * * *", "? is not supported; write *"),
    ("0x1 * * * *", "minute field '0x1'"),
    ("99999999999999999999 * * * *", "minute field"),
    # hour, second
    ("0 24 * * *", "hour field '24': write 0-23"),
    ("0 MON * * *", "hour field 'MON'"),
    ("0 */25 * * *", "a step of 25 leaves the field, which has 24 values"),
    ("60 0 0 * * *", "second field '60': write 0-59"),
    ("*/61 * * * * *", "second field '*/61'"),
    # day of month
    ("0 0 0 * *", "day-of-month field '0': write 1-31 or L"),
    ("0 0 32 * *", "day-of-month field '32'"),
    ("0 0 15W * *", "nearest weekday (W) is not supported; write a day, or LW"),
    ("0 0 W * *", "nearest weekday"),
    ("0 0 L-3 * *", "day-of-month field 'L-3'"),
    ("0 0 3#2 * *", "day-of-month field '3#2'"),
    ("0 0 ? * MON", "? is not supported"),
    ("0 0 31 2 *", "never fire"),
    ("0 0 30 FEB *", "never fire"),
    ("0 0 31 4,6,9,11 *", "never fire"),
    ("0 0 31 2 */2", "never fire"),
    ("0 0 */31 * 5L", "never fire"),
    ("0 0 30 2 *", "no date matches its day and month fields"),
    ("0 0 LW/2 * *", "day-of-month field 'LW/2'"),
    # month
    ("0 0 * 0 *", "month field '0': write 1-12 or JAN-DEC"),
    ("0 0 * 13 *", "month field '13'"),
    ("0 0 * FOO *", "month field 'FOO'"),
    ("0 0 * JANUARY *", "month field 'JANUARY'"),
    ("0 0 * DEC-JAN *", "cannot run backwards; write two, such as DEC-12,1-JAN"),
    # day of week
    ("0 0 * * 8", "day-of-week field '8': write 0-7 or SUN-SAT"),
    ("0 0 * * MON#6", "day-of-week field 'MON#6'"),
    ("0 0 * * MON#0", "day-of-week field 'MON#0'"),
    ("0 0 * * #2", "day-of-week field '#2'"),
    ("0 0 * * 9L", "day-of-week field '9L'"),
    ("0 0 * * L", "day-of-week field 'L'"),
    ("0 0 * * FRIL", "day-of-week field 'FRIL'"),
    ("0 0 * * 1-3#2", "day-of-week field '1-3#2'"),
    ("0 0 * * XYZ", "day-of-week field 'XYZ'"),
    ("0 0 * * */8", "a step of 8 leaves the field, which has 7 values"),
    # aliases
    ("@reboot", "@reboot is not supported"),
    ("@", "unknown alias; write one of @hourly"),
    ("@fortnightly", "unknown alias"),
    ("@every 5m", "an interval needs no prefix; write 5m"),
    ("@EVERY 1h30m", "write 1h30m"),
    ("@every", "write 5m"),
    # a zone in the schedule
    ("TZ=Europe/Berlin 0 0 * * *", "write Europe/Berlin into the field timezone, and 0 0 * * * here"),
    ("CRON_TZ=UTC */5 * * * *", "write UTC into the field timezone, and */5 * * * * here"),
    ('tz="UTC" @daily', "write UTC into the field timezone, and @daily here"),
    ("2026-01-01T00:00:00+01:00[Europe/Berlin]", "write a zone in brackets into the field timezone"),
    ("2026-01-01Tabc", "not an instant (not ISO 8601)"),
    # intervals
    ("1M", "an upper-case M is ambiguous"),
    ("1h30M", "an upper-case M is ambiguous"),
    ("0s", "at least 1 second"),
    ("PT0S", "at least 1 second"),
    ("0h0m", "at least 1 second"),
    ("-5m", "cannot be negative"),
    ("- 5m", "not a schedule"),
    ("-PT5M", "cannot be negative"),
    ("PT-5M", "cannot be negative"),
    ("1.5h", "must not have fractions"),
    ("PT0.5S", "must not have fractions"),
    ("1,5h", "must not have fractions"),
    ("300", "a number needs its unit"),
    ("5x", "not an interval; write whole numbers with their units"),
    ("5ms", "not an interval"),
    ("5 minutes", "write 5m"),
    ("5m 1h", "in this order: w d h m s"),
    ("1h1h", "each unit once"),
    ("+5m", "not an interval"),
    ("1e3s", "not an interval"),
    ("P", "not an interval"),
    ("PT", "not an interval"),
    ("P1DT", "not an interval"),
    ("P5M", "months and years vary"),
    ("P1Y2M", "months and years vary"),
    ("1y", "months and years vary"),
    ("2 months", "months and years vary"),
    ("3651d", "at most 3650 days"),
    ("87601h", "at most 3650 days"),
    ("99999999w", "at most 3650 days"),
    ("9" * 200 + "d", "at most 3650 days"),
    # instants
    ("2026-13-01T00:00:00Z", "month must be in 1..12, not 13"),
    ("2026-02-30T00:00:00Z", "not an instant (day must be in 1..28 in month 2 of 2026, not 30)"),
    ("20260431T000000Z", "not an instant (day must be in 1..30 in month 4 of 2026, not 31)"),
    ("2026-01-01T25:00:00Z", "not an instant (hour must be in 0..23, not 25)"),
    ("2026-01-01T24:00:00Z", "not an instant (hour must be in 0..23, not 24)"),
    ("2026-01-01T10:61", "not an instant (minute must be in 0..59, not 61)"),
    ("2026-01-01T10:00:60", "not an instant (second must be in 0..59, not 60)"),
    ("0000-01-01T00:00", "not an instant (year must be in 1..9999, not 0)"),
    ("2026-01-01T00:00:00+99:00", "not an instant (an offset must be less than a day)"),
    ("2026-01-01T00:00:00.1234567Z", "at most 6 decimal places"),
    ("2026-01-01T00:00:00 Europe/Berlin", "not an instant"),
    ("2026-12-31", "a date needs a time"),
    ("2026-W01-1", "a date needs a time"),
    ("0001-01-01T00:00:00+14:00", "the year must lie between"),
    ("9999-12-31T23:59:59-14:00", "the year must lie between"),
]


@pytest.mark.parametrize(("expr", "message"), BAD, ids=[repr(expr[:40]) for expr, _ in BAD])
def test_bad_expression_is_refused_with_its_reason(expr: str, message: str) -> None:
    problem = refusal(expr)
    assert problem.field == "schedule_expr"
    assert message in problem.message
    assert str(problem.value).isascii()


def test_bad_expressions_are_many() -> None:
    assert len(BAD) >= 60


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        ("2026-03-29T02:30", "jumps over this time"),
        ("30 2 * 3 0L", "does not fire once in 50 years"),
        ("*/15 2 * 3 0L", "does not fire once in 50 years"),
        ("* 30 2 * 3 0L", "does not fire once in 50 years"),
    ],
)
def test_pattern_that_fires_only_in_a_skipped_gap_is_refused(expr: str, message: str) -> None:
    problem = refusal(expr, "Europe/Berlin", SKIP)
    assert message in problem.message
    assert "dst.gap run_after" in problem.message


def test_pattern_in_a_gap_is_accepted_when_it_is_not_skipped() -> None:
    yearly = parse("30 2 * 3 0L", timezone="Europe/Berlin", dst=DstPolicy(), anchor_at=ANCHOR)
    assert yearly.next_after(ANCHOR) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_unknown_zone_is_an_error_of_the_timezone_field() -> None:
    assert refusal("* * * * *", "Europe/Atlantis").field == "timezone"


@settings(deadline=None, max_examples=300)
@given(expr=st.one_of(st.text(), st.text("0123456789*/,-LW#?@ PTDHMSWZ:.", max_size=24)))
def test_any_text_is_a_schedule_or_is_refused(expr: str) -> None:
    try:
        schedule = parse(expr, timezone="Europe/Berlin", dst=DstPolicy(), anchor_at=ANCHOR)
    except InvalidInputError:
        return
    assert not isinstance(schedule, Cron) or schedule.next_after(ANCHOR) is not None
