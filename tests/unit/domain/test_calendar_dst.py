"""From wall-clock time to instants: clock changes of real zones, with each choice for gap and fold."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import pairwise, product
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from scheduler_service.domain.schedules.calendar_dst import (
    ELAPSED,
    LAST_YEAR,
    DstPolicy,
    Fold,
    Gap,
    clock_changes,
    resolve,
    stretches,
)
from scheduler_service.domain.schedules.zone import zone_names

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICIES = [DstPolicy(gap, fold) for gap, fold in product(get_args(Gap), get_args(Fold))]
BOUNDED = settings(deadline=None, max_examples=150)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "year", "changes"),
    [
        ("Europe/Berlin", 2026, [("2026-03-29T01:00", 1, 2), ("2026-10-25T01:00", 2, 1)]),
        ("America/New_York", 2026, [("2026-03-08T07:00", -5, -4), ("2026-11-01T06:00", -4, -5)]),
        ("Australia/Lord_Howe", 2026, [("2026-04-04T15:00", 11, 10.5), ("2026-10-03T15:30", 10.5, 11)]),
        ("Pacific/Chatham", 2026, [("2026-04-04T14:00", 13.75, 12.75), ("2026-09-26T14:00", 12.75, 13.75)]),
        ("Antarctica/Troll", 2026, [("2026-03-29T01:00", 0, 2), ("2026-10-25T01:00", 2, 0)]),
        (
            "Pacific/Apia",
            2011,
            [("2011-04-02T14:00", -10, -11), ("2011-09-24T14:00", -11, -10), ("2011-12-30T10:00", -10, 14)],
        ),
        ("Asia/Kathmandu", 2026, []),
        ("Asia/Kathmandu", 1985, [("1985-12-31T18:30", 5.5, 5.75)]),
        ("UTC", 2026, []),
        ("Europe/Berlin", 2090, [("2090-03-26T01:00", 1, 2), ("2090-10-29T01:00", 2, 1)]),
    ],
)
def test_clock_changes_of_a_year_are_found(zone: str, year: int, changes: list[tuple[str, float, float]]) -> None:
    found = [(change.utc, change.before / HOUR, change.after / HOUR) for change in clock_changes(ZoneInfo(zone), year)]
    assert found == [(wall(at), before, after) for at, before, after in changes]


@settings(deadline=None, max_examples=40)
@given(zone=st.sampled_from(sorted(zone_names())), year=st.integers(2233, LAST_YEAR))
@example(zone="Europe/Berlin", year=2300)
@example(zone="America/Nuuk", year=2400)
@example(zone="Asia/Gaza", year=2401)
def test_clock_changes_of_far_years_agree_with_zoneinfo(zone: str, year: int) -> None:
    there = ZoneInfo(zone)

    def offset(at: datetime) -> timedelta | None:
        return at.astimezone(there).utcoffset()

    # So far away a zone has one rule for all years, of two changes that are months apart.
    days = [datetime(year, 1, 1, tzinfo=UTC) + number * DAY for number in range(365)]
    hours = [day + number * HOUR for day in days if offset(day) != offset(day + DAY) for number in range(1, 25)]
    seen = [
        (hour.replace(tzinfo=None), offset(hour - HOUR), offset(hour))
        for hour in hours
        if offset(hour - HOUR) != offset(hour)
    ]

    found = [(change.utc, change.before, change.after) for change in clock_changes(there, year)]

    assert [(-(-at.minute // 60) * HOUR + at.replace(minute=0), *rest) for at, *rest in found] == seen


def test_no_zone_has_an_explicit_change_in_the_template_years() -> None:
    # The data's second block (RFC 8536, section 3.2), of 64-bit instants.
    for name in sorted(zone_names()):
        data = files("tzdata").joinpath("zoneinfo", name).read_bytes()
        counts = struct.unpack_from(">6L", data, 20)
        start = 44 + counts[3] * 5 + counts[4] * 6 + counts[5] + counts[2] * 8 + counts[1] + counts[0]
        (listed,) = struct.unpack_from(">L", data, start + 32)
        instants = struct.unpack_from(f">{listed}q", data, start + 44)
        assert not instants or datetime.fromtimestamp(instants[-1], UTC).year < 2200, name


@BOUNDED
@given(zone=st.sampled_from(sorted(zone_names())), year=st.integers(1950, 2060), policy=st.sampled_from(POLICIES))
def test_stretches_cover_a_year_exactly(zone: str, year: int, policy: DstPolicy) -> None:
    pieces = stretches(ZoneInfo(zone), year, policy)
    assert (pieces[0].start, pieces[-1].end) == (datetime(year, 1, 1), datetime(year + 1, 1, 1))  # noqa: DTZ001
    assert all(earlier.end == later.start for earlier, later in pairwise(pieces))
    for piece in pieces:
        assert piece.start <= piece.lo - piece.offset
        assert piece.hi - piece.offset <= piece.end


BERLIN_GAP, BERLIN_FOLD = "2026-03-29T02:30", "2026-10-25T02:30"


@pytest.mark.parametrize(
    ("zone", "local", "policy", "instant"),
    [
        ("UTC", "2026-03-29T02:30", DstPolicy(), "2026-03-29T02:30"),
        ("Europe/Berlin", "2026-03-29T01:59:59", DstPolicy(), "2026-03-29T00:59:59"),
        ("Europe/Berlin", BERLIN_GAP, DstPolicy(), "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-03-29T02:00", DstPolicy(), "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-03-29T03:00", DstPolicy(), "2026-03-29T01:00"),
        ("Europe/Berlin", BERLIN_GAP, DstPolicy(gap="skip"), None),
        ("Europe/Berlin", "2026-03-29T03:00", DstPolicy(gap="skip"), "2026-03-29T01:00"),
        ("Europe/Berlin", BERLIN_FOLD, DstPolicy(), "2026-10-25T00:30"),
        ("Europe/Berlin", BERLIN_FOLD, DstPolicy(fold="second"), "2026-10-25T01:30"),
        ("Europe/Berlin", BERLIN_FOLD, DstPolicy(fold="both"), "2026-10-25T00:30"),
        ("Europe/Berlin", "2026-10-25T03:00", DstPolicy(), "2026-10-25T02:00"),
        ("Europe/Berlin", "2026-10-25T02:00", DstPolicy(fold="second"), "2026-10-25T01:00"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", DstPolicy(), "2026-10-03T15:30"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", DstPolicy(), "2026-04-04T14:45"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", DstPolicy(fold="second"), "2026-04-04T15:15"),
        ("Pacific/Chatham", "2026-09-27T03:00", DstPolicy(), "2026-09-26T14:00"),
        ("Antarctica/Troll", "2026-03-29T02:59", DstPolicy(), "2026-03-29T01:00"),
        ("Antarctica/Troll", "2026-10-25T01:30", DstPolicy(fold="second"), "2026-10-25T01:30"),
        ("Pacific/Apia", "2011-12-30T12:00", DstPolicy(), "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-30T12:00", DstPolicy(gap="skip"), None),
        ("Pacific/Apia", "2011-12-31T00:00", DstPolicy(), "2011-12-30T10:00"),
        ("Africa/Casablanca", "2026-03-22T02:30", DstPolicy(), "2026-03-22T02:00"),
        ("Pacific/Kiritimati", "2026-01-01T00:00", DstPolicy(), "2025-12-31T10:00"),
        ("Etc/GMT+12", "2025-12-31T23:00", DstPolicy(), "2026-01-01T11:00"),
    ],
)
def test_wall_clock_time_is_resolved(zone: str, local: str, policy: DstPolicy, instant: str | None) -> None:
    expected = None if instant is None else utc(instant)
    assert resolve(wall(local), ZoneInfo(zone), policy) == expected


@BOUNDED
@given(
    zone=st.sampled_from(sorted(zone_names())),
    local=st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2060, 1, 1)),  # noqa: DTZ001
    fold=st.sampled_from([0, 1]),
)
def test_existing_times_are_resolved_as_by_zoneinfo(zone: str, local: datetime, fold: int) -> None:
    policy = DstPolicy(gap="skip", fold="second" if fold else "first")
    there = local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)
    exists = there.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local
    assert resolve(local, ZoneInfo(zone), policy) == (there if exists else None)


@pytest.mark.parametrize(
    ("zone", "local", "first", "second"),
    [
        ("Africa/Casablanca", "1985-12-31T23:30", "1985-12-31T22:30", "1985-12-31T23:30"),
        ("Antarctica/Palmer", "1964-12-31T22:00", "1964-12-31T22:00", "1965-01-01T01:00"),
    ],
)
def test_fold_at_new_year_is_resolved(zone: str, local: str, first: str, second: str) -> None:
    # Years are cached one by one; Palmer's clock went back at midnight UTC itself, so the two passes have two years.
    assert resolve(wall(local), ZoneInfo(zone), DstPolicy(fold="first")) == utc(first)
    assert resolve(wall(local), ZoneInfo(zone), DstPolicy(fold="second")) == utc(second)


def test_elapsed_time_has_no_gap_and_no_fold() -> None:
    spring, autumn = stretches(ZoneInfo("Europe/Berlin"), 2026, ELAPSED)[1:]
    assert spring.gap is None
    assert spring.hi - autumn.lo == HOUR


@pytest.mark.parametrize("bad", [{"gap": "never"}, {"fold": None}, {"gaps": "skip"}])
def test_invalid_policy_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(DstPolicy).validate_python(bad)


def test_policy_is_read_from_a_mapping_with_defaults() -> None:
    assert TypeAdapter(DstPolicy).validate_python({"fold": "both"}) == DstPolicy("run_after", "both")
