"""Properties of every schedule: all queries agree on the instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, product
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.schedules.calendar_dst import DstPolicy, Fold, Gap
from scheduler_service.domain.schedules.schedule import Schedule, parse

BOUNDED = settings(deadline=None, max_examples=150)
MICROSECOND = timedelta(microseconds=1)

EXPRESSIONS = [
    *("*/10 * * * *", "30 2 * * *", "15,45 1-3 * * *", "0 0 * * *", "0 */2 * * *", "0 0-23 * * *"),
    *("7 3 L * *", "0 0 LW * *", "30 1 * * MON#1", "0 2 * * 0L", "0 12 1,15 * FRI", "0 0 29 2 *", "59 23 31 12 *"),
    *("*/20 * * * * *", "30 59 23 * * *", "10-50/7 0,30 2 * * *"),
    *("30s", "7m", "1h30m", "2d", "PT5M", "1w", "2026-10-25T02:30", "2026-03-29T02:30:00.5", "2026-06-01T00:00:00Z"),
]
ZONES = [
    *("UTC", "Africa/Cairo", "Africa/Casablanca", "Africa/El_Aaiun", "Africa/Johannesburg", "Africa/Lagos"),
    *("America/Bogota", "America/Caracas", "America/Chicago", "America/Havana", "America/Los_Angeles"),
    *("America/Mexico_City", "America/New_York", "America/Nuuk", "America/Santiago", "America/Sao_Paulo"),
    *("America/St_Johns", "Antarctica/Macquarie", "Antarctica/Troll", "Asia/Amman", "Asia/Beirut", "Asia/Dubai"),
    *("Asia/Gaza", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tehran", "Asia/Tokyo"),
    *("Atlantic/Azores", "Australia/Adelaide", "Australia/Eucla", "Australia/Lord_Howe", "Australia/Sydney"),
    *("Europe/Berlin", "Europe/Chisinau", "Europe/Dublin", "Europe/Istanbul", "Europe/London", "Europe/Moscow"),
    *("Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter", "Pacific/Kiritimati", "Pacific/Norfolk"),
]
POLICIES = [DstPolicy(gap, fold) for gap, fold in product(get_args(Gap), get_args(Fold))]
ANCHOR = datetime(2025, 12, 31, 23, 59, 30, 250_000, tzinfo=UTC)

instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
spans = st.one_of(st.timedeltas(timedelta(0), timedelta(hours=30)), st.timedeltas(timedelta(0), timedelta(days=500)))
FEW = 3_000
"""Windows with more instants are cut: listing them is what the other answers are for."""


def read(expr: str, zone: str, dst: DstPolicy) -> Schedule:
    if "T02:30" in expr:  # an instant in a gap that skips is refused
        dst = DstPolicy("run_after", dst.fold)
    return parse(expr, timezone=zone, dst=dst, anchor_at=ANCHOR)


schedules = st.builds(read, st.sampled_from(EXPRESSIONS), st.sampled_from(ZONES), st.sampled_from(POLICIES))


@BOUNDED
@given(schedule=schedules, start=instants, span=spans)
def test_queries_agree_with_stepping_through_the_window(schedule: Schedule, start: datetime, span: timedelta) -> None:
    stepped = list(islice(schedule.between(start, start + span), FEW))
    end = stepped[-1] if len(stepped) == FEW else start + span
    assert all(start < instant <= end for instant in stepped)
    assert schedule.count_between(start, end) == len(stepped)
    assert schedule.last_between(start, end) == (stepped[-1] if stepped else None)


@BOUNDED
@given(schedule=schedules, start=instants)
def test_instants_strictly_increase_and_are_aware_utc(schedule: Schedule, start: datetime) -> None:
    found = list(islice(schedule.between(start, start + timedelta(days=900)), 200))
    assert all(earlier < later for earlier, later in pairwise(found))
    assert all(instant.tzinfo is UTC for instant in found)


@BOUNDED
@given(schedule=schedules, start=instants, share=st.floats(0, 1))
def test_next_after_is_the_same_from_any_earlier_start(schedule: Schedule, start: datetime, share: float) -> None:
    following = schedule.next_after(start)
    if following is not None:
        nearer = start + (following - start) * share
        assert schedule.next_after(min(nearer, following - MICROSECOND)) == following
        assert schedule.last_between(start, following) == following
        assert schedule.count_between(start, following) == 1


@BOUNDED
@given(schedule=schedules, start=instants, span=spans, share=st.floats(0, 1))
def test_counts_of_adjoining_windows_add_up(schedule: Schedule, start: datetime, span: timedelta, share: float) -> None:
    middle, end = start + span * share, start + span
    parts = schedule.count_between(start, middle) + schedule.count_between(middle, end)
    assert schedule.count_between(start, end) == parts


@BOUNDED
@given(schedule=schedules, start=instants, span=spans)
def test_reversed_window_is_empty(schedule: Schedule, start: datetime, span: timedelta) -> None:
    assert schedule.count_between(start, start - span) == 0
    assert schedule.last_between(start, start - span) is None
    assert list(schedule.between(start, start - span)) == []
