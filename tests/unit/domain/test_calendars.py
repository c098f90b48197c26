"""Calendars: which days they contain, and what becomes of instants on excluded days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from scheduler_service.domain.calendars import CalendarShift, DaySet, JobCalendar
from scheduler_service.domain.day_sets import Days, Holidays, built_in, problem_of
from scheduler_service.domain.firing import Fire, FiringRules, Skip, decide
from scheduler_service.domain.recurrence_rules import Rule, problem_of_rule
from scheduler_service.domain.run_state import Reason
from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import parse

BERLIN = ZoneInfo("Europe/Berlin")
FRIDAY = datetime(2026, 12, 18, 5, tzinfo=UTC)  # 06:00 in Berlin
DAY = timedelta(days=1)
DAILY = parse("0 6 * * *", timezone="Europe/Berlin", dst=DstPolicy(), anchor_at=FRIDAY)


def found(name: str) -> DaySet:
    days = built_in(name)
    assert days is not None
    return days


def business(shift: CalendarShift = "skip", *excluded: str) -> JobCalendar:
    return JobCalendar(BERLIN, (found("business-days"),), tuple(map(found, excluded)), shift)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("business-days", date(2026, 12, 18), date(2026, 12, 19)),
        ("weekends", date(2026, 12, 20), date(2026, 12, 21)),
        ("de-holidays", date(2026, 10, 3), date(2026, 1, 6)),
        ("de-BY-holidays", date(2026, 1, 6), date(2026, 1, 7)),
    ],
)
def test_built_in_calendar_has_its_days(name: str, inside: date, outside: date) -> None:
    assert inside in found(name)
    assert outside not in found(name)


def test_holidays_of_distant_years_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    days = Days(holidays=(Holidays("DE", None),))
    assert date(2100, 10, 3) in days
    monkeypatch.setattr("holidays.country_holidays", None)
    assert date(2201, 10, 3) not in days


@pytest.mark.parametrize("name", ["xx-holidays", "de-ZZ-holidays", "holidays", "business"])
def test_other_names_are_not_built_in(name: str) -> None:
    assert built_in(name) is None


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        (Rule(date(2026, 1, 1), "FREQ=MONTHLY;BYDAY=-1FR"), [date(2026, 1, 30), date(2026, 2, 27)]),
        (Rule(date(2026, 1, 5), "FREQ=WEEKLY;INTERVAL=2"), [date(2026, 1, 5), date(2026, 1, 19), date(2026, 2, 2)]),
        (Rule(date(2026, 1, 1), "FREQ=DAILY;COUNT=2"), [date(2026, 1, 1), date(2026, 1, 2)]),
        (Rule(date(2026, 1, 1), "FREQ=DAILY;UNTIL=20260102T235959Z"), [date(2026, 1, 1), date(2026, 1, 2)]),
        (Rule(date(2000, 1, 1), "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), []),
    ],
)
def test_rule_names_its_days(rule: Rule, days: list[date]) -> None:
    begin = [date(2026, 1, 1) + number * DAY for number in range(33)]
    calendar = Days(rules=(rule,))
    assert [day for day in [*begin, date(2026, 2, 27)] if day in calendar] == days


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;INTERVAL=3;BYMONTH=1,3;UNTIL=20271231",
        "FREQ=DAILY;BYMONTHDAY=-1,13;COUNT=20",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,MO",
        "FREQ=WEEKLY;BYMONTH=2,12",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,WE,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYDAY=MO,FR;BYSETPOS=10,-1;COUNT=6",
        "FREQ=MONTHLY;INTERVAL=2",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1",
        "FREQ=MONTHLY;BYDAY=2TU,-1FR",
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=3",
        "FREQ=YEARLY;BYDAY=20MO,-1SU",
        "FREQ=YEARLY;BYWEEKNO=1,53",
        "FREQ=YEARLY;BYYEARDAY=1,366,-1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=2",
    ],
)
def test_rule_has_the_days_that_dateutil_finds(text: str) -> None:
    first, last = datetime(2024, 2, 29), datetime(2031, 12, 31)  # noqa: DTZ001 (days)
    wanted = {instant.date() for instant in rrulestr(text, dtstart=first).between(first, last, inc=True)}
    rule, days = Rule(first.date(), text), [first.date() + number * DAY for number in range((last - first).days + 1)]
    assert {day for day in days if day in rule} == wanted


def test_rule_that_never_matches_is_not_searched() -> None:
    years = range(1900, 2200)
    for text in (
        "FREQ=DAILY;BYSETPOS=366",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYYEARDAY=366;BYMONTH=1",
    ):
        for limit in ("", ";COUNT=3"):
            calendar = Days(rules=(Rule(date(1900, 1, 1), text + limit),))
            assert not any(date(year, 1, 1) in calendar for year in years)


def test_times_of_a_rule_are_ignored() -> None:
    times = f"BYMINUTE={','.join(map(str, range(60)))};BYHOUR=1,2,3"
    rule = Rule(date(2000, 1, 1), f"FREQ=DAILY;INTERVAL=2;{times}")
    assert problem_of_rule(rule) is None
    assert date(2000, 1, 3) in rule


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=HOURLY",
        "BYDAY=MO",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=DAILY;COUNT=X",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=1001",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;FREQ=SECONDLY",
        "FREQ=YEARLY;BYEASTER=0",
        "FREQ=DAILY;UNTIL=20261332",
        "FREQ=WEEKLY;WKST=XX",
        "FREQ=WEEKLY;BYSETPOS=1;COUNT=5",
    ],
)
def test_unusable_rule_has_a_problem(text: str) -> None:
    assert problem_of_rule(Rule(date(2026, 1, 1), text)) is not None


def test_unknown_places_have_a_problem_with_a_remedy() -> None:
    assert "write its ISO 3166 code" in str(problem_of(Holidays("XX", None)))
    assert "write one of BB, BE" in str(problem_of(Holidays("DE", "ZZ")))


def test_day_is_that_of_the_zone() -> None:
    late_on_sunday = datetime(2026, 12, 20, 23, 30, tzinfo=UTC)  # Monday in Berlin
    assert business().is_open(late_on_sunday)


def test_excluded_days_win_over_included_ones() -> None:
    christmas = datetime(2026, 12, 25, 5, tzinfo=UTC)  # a Friday
    assert business().is_open(christmas)
    assert not business("skip", "de-holidays").is_open(christmas)


def test_instants_on_excluded_days_are_skipped() -> None:
    rules = FiringRules(misfire_policy="fire_all", overlap_policy="queue")
    decision = decide(
        DAILY, rules, next_run_at=FRIDAY, now=FRIDAY + 3 * DAY, active=0, end_at=None, calendar=business()
    )
    assert decision.entries == (
        Fire(FRIDAY),
        Skip(FRIDAY + DAY, Reason.CALENDAR),
        Skip(FRIDAY + 2 * DAY, Reason.CALENDAR),
        Fire(FRIDAY + 3 * DAY),
    )


def test_run_of_an_excluded_day_waits_for_the_next_open_day() -> None:
    saturday, calendar = FRIDAY + DAY, business("next_day")
    decision = decide(
        DAILY, FiringRules(), next_run_at=saturday, now=saturday, active=0, end_at=None, calendar=calendar
    )
    assert decision.entries == (Fire(saturday, not_before=saturday + 2 * DAY),)


def test_waiting_run_counts_for_the_overlap_policy() -> None:
    sunday, calendar = FRIDAY + 2 * DAY, business("next_day")
    decision = decide(DAILY, FiringRules(), next_run_at=sunday, now=sunday, active=1, end_at=None, calendar=calendar)
    assert decision.entries == (Skip(sunday, Reason.OVERLAP),)


def test_instant_is_skipped_when_no_day_is_open() -> None:
    never = JobCalendar(BERLIN, (found("weekends"),), (found("weekends"),), "next_day")
    decision = decide(DAILY, FiringRules(), next_run_at=FRIDAY, now=FRIDAY, active=0, end_at=None, calendar=never)
    assert decision.entries == (Skip(FRIDAY, Reason.CALENDAR),)
