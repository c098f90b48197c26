"""Cron schedules: which instants, in which zone, against three oracles.

croniter is right where no clock changes (it runs a fixed time twice at fall-back, takes `*/2` in a day field for a
restriction where Debian's cron takes it for a star, writes `5L` as `L5`, and reads `0-0` as `*`), so it is asked in
zones of constant offset and for what both read alike. cronsim's own walk is right for fixed times under Debian's rule.
For everything around a clock change, the oracle is a scan of each minute of UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, product
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.schedules.calendar_dst import DstPolicy, Fold, Gap
from scheduler_service.domain.schedules.schedule import Cron, parse

BOUNDED = settings(deadline=None, max_examples=100)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
CONSTANT_ZONES = ["UTC", "Asia/Kathmandu", "Asia/Tokyo", "America/Phoenix", "Etc/GMT+12", "Pacific/Kiritimati"]
CHANGING_ZONES = [
    *("Africa/Cairo", "Africa/Casablanca", "Africa/El_Aaiun", "Africa/Khartoum", "Africa/Tripoli", "Africa/Windhoek"),
    *("America/Asuncion", "America/Caracas", "America/Havana", "America/Miquelon", "America/New_York"),
    *("America/Nuuk", "America/Port-au-Prince", "America/Santiago", "America/Sao_Paulo", "America/Scoresbysund"),
    *("America/St_Johns", "America/Tijuana", "Antarctica/Casey", "Antarctica/Macquarie", "Antarctica/Troll"),
    *("Asia/Amman", "Asia/Beirut", "Asia/Gaza", "Asia/Jerusalem", "Asia/Pyongyang", "Asia/Tehran", "Asia/Damascus"),
    *("Atlantic/Azores", "Australia/Adelaide", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin"),
    *("Europe/Chisinau", "Europe/Dublin", "Europe/Istanbul", "Europe/Lisbon", "Europe/London", "Europe/Moscow"),
    *("Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter", "Pacific/Fiji", "Pacific/Norfolk"),
    *("Pacific/Tongatapu", "Asia/Ulaanbaatar"),
]
POLICIES = [DstPolicy(gap, fold) for gap, fold in product(get_args(Gap), get_args(Fold))]


def cron(expr: str, zone: str = "UTC", dst: DstPolicy = DstPolicy()) -> Cron:  # noqa: B008 (frozen)
    schedule = parse(expr, timezone=zone, dst=dst, anchor_at=datetime(2000, 1, 1, tzinfo=UTC))
    assert isinstance(schedule, Cron)
    return schedule


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def first(schedule: Cron, after: str, count: int) -> list[str]:
    found = islice(schedule.between(utc(after), utc("2090-01-01")), count)
    return [instant.replace(tzinfo=None).isoformat(timespec="minutes") for instant in found]


@pytest.mark.parametrize(
    ("expr", "instants"),
    [
        ("*/10 * * * *", ["2026-01-01T00:10", "2026-01-01T00:20"]),
        ("@hourly", ["2026-01-01T01:00", "2026-01-01T02:00"]),
        ("@daily", ["2026-01-02T00:00", "2026-01-03T00:00"]),
        ("@midnight", ["2026-01-02T00:00", "2026-01-03T00:00"]),
        ("@weekly", ["2026-01-04T00:00", "2026-01-11T00:00"]),
        ("@Monthly", ["2026-02-01T00:00", "2026-03-01T00:00"]),
        ("@yearly", ["2027-01-01T00:00", "2028-01-01T00:00"]),
        ("@annually", ["2027-01-01T00:00", "2028-01-01T00:00"]),
        ("0 9 * * mon-fri", ["2026-01-01T09:00", "2026-01-02T09:00", "2026-01-05T09:00"]),
        ("  0   9\t* JAN,mar  7 ", ["2026-01-04T09:00", "2026-01-11T09:00"]),
        ("0 0 L * *", ["2026-01-31T00:00", "2026-02-28T00:00"]),
        ("0 0 LW * *", ["2026-01-30T00:00", "2026-02-27T00:00", "2026-03-31T00:00"]),
        ("0 0 * * MON#2", ["2026-01-12T00:00", "2026-02-09T00:00"]),
        ("0 0 * * 5L", ["2026-01-30T00:00", "2026-02-27T00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("0 0 29 2 */7", ["2032-02-29T00:00", "2060-02-29T00:00", "2088-02-29T00:00"]),
        ("0 0 13 * FRI", ["2026-01-02T00:00", "2026-01-09T00:00", "2026-01-13T00:00"]),
        ("0 0 1-7/2,30 * *", ["2026-01-03T00:00", "2026-01-05T00:00", "2026-01-07T00:00", "2026-01-30T00:00"]),
        ("59 23 31 12 *", ["2026-12-31T23:59", "2027-12-31T23:59"]),
    ],
)
def test_pattern_fires_at_its_instants(expr: str, instants: list[str]) -> None:
    assert first(cron(expr), "2026-01-01T00:00", len(instants)) == instants


def test_first_of_six_fields_is_seconds() -> None:
    found = islice(cron("*/20 0 0 * * *").between(utc("2026-01-01"), utc("2026-02-01")), 3)
    assert list(found) == [utc("2026-01-01T00:00:20"), utc("2026-01-01T00:00:40"), utc("2026-01-02")]


def test_next_after_is_strictly_later_than_a_fraction() -> None:
    minutely = cron("* * * * *")
    assert minutely.next_after(utc("2026-01-01T00:00:00")) == utc("2026-01-01T00:01")
    assert minutely.next_after(utc("2026-01-01T00:00:59.999999")) == utc("2026-01-01T00:01")
    assert minutely.next_after(utc("2026-01-01T00:01:00.000001")) == utc("2026-01-01T00:02")


def test_next_after_accepts_any_offset() -> None:
    asked = datetime(2026, 1, 1, 5, 45, tzinfo=ZoneInfo("Asia/Kathmandu"))
    assert cron("@daily").next_after(asked) == utc("2026-01-02")


FIXED_GAP = [
    # Each zone's clock jumps within the day after `after`; the pattern's time falls into the jump.
    ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", {"run_after": "2026-03-29T01:00", "skip": "2026-03-30T00:30"}),
    (
        "Europe/Berlin",
        "0 30 2 * * *",
        "2026-03-28T12:00",
        {"run_after": "2026-03-29T01:00", "skip": "2026-03-30T00:30"},
    ),
    (
        "Europe/Berlin",
        "15,45 2 * * *",
        "2026-03-28T12:00",
        {"run_after": "2026-03-29T01:00", "skip": "2026-03-30T00:15"},
    ),
    ("Europe/Berlin", "0 2,3 * * *", "2026-03-28T12:00", {"run_after": "2026-03-29T01:00", "skip": "2026-03-29T01:00"}),
    (
        "America/New_York",
        "0 2 * * *",
        "2026-03-07T12:00",
        {"run_after": "2026-03-08T07:00", "skip": "2026-03-09T06:00"},
    ),
    (
        "Australia/Lord_Howe",
        "15 2 * * *",
        "2026-10-03T06:00",
        {"run_after": "2026-10-03T15:30", "skip": "2026-10-04T15:15"},
    ),
    ("Pacific/Chatham", "0 3 * * *", "2026-09-26T00:00", {"run_after": "2026-09-26T14:00", "skip": "2026-09-27T13:15"}),
    (
        "Antarctica/Troll",
        "30 1 * * *",
        "2026-03-28T12:00",
        {"run_after": "2026-03-29T01:00", "skip": "2026-03-29T23:30"},
    ),
    ("Pacific/Apia", "0 9 * * *", "2011-12-30T00:00", {"run_after": "2011-12-30T10:00", "skip": "2011-12-30T19:00"}),
    ("Pacific/Apia", "0 9 30 12 *", "2011-12-30T00:00", {"run_after": "2011-12-30T10:00", "skip": "2012-12-29T19:00"}),
]


@pytest.mark.parametrize(("zone", "expr", "after", "expected"), FIXED_GAP)
@pytest.mark.parametrize("gap", ["run_after", "skip"])
def test_fixed_time_in_the_gap_follows_the_policy(
    zone: str, expr: str, after: str, expected: dict[str, str], gap: Gap
) -> None:
    dst = DstPolicy(gap=gap)
    assert first(cron(expr, zone, dst), after, 1) == [expected[gap]]


def test_times_in_one_gap_fire_once_at_its_end() -> None:
    found = first(cron("0,20,40 2,3 * * *", "Europe/Berlin"), "2026-03-28T12:00", 4)
    assert found == ["2026-03-29T01:00", "2026-03-29T01:20", "2026-03-29T01:40", "2026-03-30T00:00"]


FIXED_FOLD = [
    ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-25T01:30"]),
    ("America/New_York", "0 1 * * *", "2026-10-31T12:00", ["2026-11-01T05:00", "2026-11-01T06:00"]),
    ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T06:00", ["2026-04-04T14:45", "2026-04-04T15:15"]),
    ("Antarctica/Troll", "30 2 * * *", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-25T02:30"]),
]


@pytest.mark.parametrize(("zone", "expr", "after", "passes"), FIXED_FOLD)
@pytest.mark.parametrize(("fold", "chosen"), [("first", slice(0, 1)), ("second", slice(1, 2)), ("both", slice(0, 2))])
def test_fixed_time_in_the_fold_follows_the_policy(
    zone: str, expr: str, after: str, passes: list[str], fold: Fold, chosen: slice
) -> None:
    schedule = cron(expr, zone, DstPolicy(fold=fold))
    found = list(schedule.between(utc(after), utc(after) + DAY))
    assert found == [utc(instant) for instant in passes[chosen]]


@pytest.mark.parametrize("dst", POLICIES)
@pytest.mark.parametrize("expr", ["*/30 * * * *", "0,30 * * * *", "*/30 0-23 * * *", "0 */30 * * * *"])
def test_wildcard_pattern_follows_elapsed_time(expr: str, dst: DstPolicy) -> None:
    half_hourly = cron(expr, "Europe/Berlin", dst)
    for day in ("2026-03-29", "2026-10-25"):
        assert half_hourly.count_between(utc(day), utc(day) + DAY) == 48


def test_gap_of_the_year_before_has_no_effect_at_new_year() -> None:
    # Sydney's summer, and so the stretch that follows its gap in October, reaches across New Year.
    found = first(cron("30 2 * * *", "Australia/Sydney"), "2026-12-31T12:00", 3)
    assert found == ["2026-12-31T15:30", "2027-01-01T15:30", "2027-01-02T15:30"]


def test_pattern_that_lists_every_hour_is_no_wildcard() -> None:
    # As Debian's cron has it: only a leading star makes a wildcard, `0-23` does not.
    assert first(cron("0 0-23 * * *", "Europe/Berlin"), "2026-10-24T23:59", 2) == [
        "2026-10-25T00:00",
        "2026-10-25T02:00",
    ]


def test_wildcard_pattern_skips_a_day_when_the_gap_has_its_times() -> None:
    assert first(cron("*/20 2 * * *", "Europe/Berlin"), "2026-03-28T12:00", 1) == ["2026-03-30T00:00"]


@st.composite
def field(draw: st.DrawFn, low: int, high: int) -> str:
    start = draw(st.integers(low, high - 1))
    end = draw(st.integers(start + 1, high))
    step = draw(st.integers(1, high))
    return draw(
        st.sampled_from(["*", f"*/{step}", f"{start}", f"{start}-{end}", f"{start},{end}", f"{start}-{end}/{step}"])
    )


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """Patterns on whose day fields croniter and cron agree: at most one of the two is restricted."""
    day, weekday = draw(
        st.one_of(
            st.tuples(field(1, 31), st.just("*")),
            st.tuples(st.just("*"), field(0, 6)),
            st.sampled_from([("L", "*"), ("*", "1#2"), ("*", "5#5"), ("*", "0#1"), ("15", "MON"), ("1,15", "5-6")]),
        )
    )
    return f"{draw(field(0, 59))} {draw(field(0, 23))} {day} {draw(field(1, 12))} {weekday}"


@BOUNDED
@given(
    expr=patterns(),
    zone=st.sampled_from(CONSTANT_ZONES),
    after=st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_pattern_agrees_with_croniter_without_clock_changes(expr: str, zone: str, after: datetime) -> None:
    try:
        oracle = croniter(expr, after.astimezone(ZoneInfo(zone)), max_years_between_matches=40)
        expected = [oracle.get_next(datetime).astimezone(UTC) for _ in range(3)]
    except ValueError:  # it finds no such day, as 31 February
        return
    assert list(islice(cron(expr, zone).between(after, utc("2200-01-01")), 3)) == expected


# What the scan below takes each text of a field for.
MINUTES = {"*": range(60), "*/15": range(0, 60, 15), "0": [0], "30": [30], "0,30": [0, 30], "7-50/9": range(7, 51, 9)}
HOURS = {
    "*": range(24),
    "*/2": range(0, 24, 2),
    "0": [0],
    "2": [2],
    "1-3": [1, 2, 3],
    "0-23": range(24),
    "22,23": [22, 23],
}


FIRST_DAY = utc("2004-01-01")
DAYS = [FIRST_DAY + number * DAY for number in range(12_000)]


@cache
def days_of_change(zone: str) -> tuple[datetime, ...]:
    there = ZoneInfo(zone)
    offsets = [day.astimezone(there).utcoffset() for day in DAYS]
    return tuple(day for day, before, after in zip(DAYS, offsets, offsets[1:], strict=False) if before != after)


def scan(minute: str, hour: str, zone: ZoneInfo, dst: DstPolicy, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the wall clock of each minute of UTC, and what the clock left out since the minute before."""
    fixed = not (minute.startswith("*") or hour.startswith("*"))

    def matches(wall: datetime) -> bool:
        return wall.minute in MINUTES[minute] and wall.hour in HOURS[hour]

    at, before = start, start.astimezone(zone)
    while (at := at + MINUTE) <= end:
        local = at.astimezone(zone)
        fires = matches(local)
        if fires and fixed and dst.fold != "both" and is_shown_twice(local):
            fires = local.fold == (dst.fold == "second")
        clock_went_on = local - before  # of one zone, so that it is by the clock
        if clock_went_on > MINUTE and fixed and dst.gap == "run_after":
            fires |= any(matches(before + number * MINUTE) for number in range(1, clock_went_on // MINUTE))
        if fires:
            yield at
        before = local


def is_shown_twice(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


@settings(BOUNDED, max_examples=120)
@given(
    data=st.data(),
    zone=st.sampled_from(CHANGING_ZONES),
    minute=st.sampled_from(sorted(MINUTES)),
    hour=st.sampled_from(sorted(HOURS)),
    dst=st.sampled_from(POLICIES),
)
def test_pattern_agrees_with_a_scan_around_a_clock_change(
    data: st.DataObject, zone: str, minute: str, hour: str, dst: DstPolicy
) -> None:
    start = data.draw(st.sampled_from(days_of_change(zone))) - DAY
    end = start + 3 * DAY
    schedule = cron(f"{minute} {hour} * * *", zone, dst)
    expected = list(scan(minute, hour, ZoneInfo(zone), dst, start, end))
    assert list(schedule.between(start, end)) == expected
    assert schedule.count_between(start, end) == len(expected)


@BOUNDED
@given(
    data=st.data(),
    zone=st.sampled_from(CHANGING_ZONES),
    minute=st.sampled_from(["0", "30", "15,45", "59"]),
    hour=st.sampled_from(["0", "1", "2", "3", "1-3", "23"]),
)
def test_fixed_times_agree_with_cronsim_by_default(data: st.DataObject, zone: str, minute: str, hour: str) -> None:
    start = data.draw(st.sampled_from(days_of_change(zone))) - DAY
    expr, end = f"{minute} {hour} * * *", start + 3 * DAY
    oracle = (instant.astimezone(UTC) for instant in CronSim(expr, (start - DAY).astimezone(ZoneInfo(zone))))
    expected = {instant for instant in islice(oracle, 60) if start < instant <= end}
    assert list(cron(expr, zone).between(start, end)) == sorted(expected)


def test_next_after_searches_within_the_calendar() -> None:
    assert cron("* * * * *").next_after(datetime.max.replace(tzinfo=UTC)) is None
    assert cron("* * * * *").next_after(utc("0001-01-01")) == utc("1900-01-01T00:01")


def test_century_of_seconds_is_counted_at_once() -> None:
    a, b = utc("2000-01-01"), utc("2100-01-01")
    assert cron("* * * * * *", "Europe/Berlin").count_between(a, b) == (b - a).total_seconds()
