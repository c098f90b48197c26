"""Stored calendars: whose they are, what they contain, and which jobs may name them."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from testkit.callers import ADMIN, ANN
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.engine.dispatch import Dispatcher
from scheduler_service.errors import ConflictError, InvalidInputError, NotFoundError
from scheduler_service.features.calendars.definition import CalendarDefinition, CalendarRequest
from scheduler_service.features.calendars.service import CalendarService
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.storage import run_lists
from scheduler_service.storage.database import Database

TODAY = date(2026, 1, 15)
CLOSED = CalendarDefinition(dates=[TODAY])


@pytest.fixture
def calendars(database: Database, clock: FakeClock) -> CalendarService:
    return CalendarService(database, clock)


@pytest.fixture
def jobs(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, RecordingBroker(), clock, lambda: None)


def definition(**changes: Any) -> JobDefinition:
    payload = {"type": "shell_script", "script": "true"}
    return JobDefinition.model_validate({"name": "a", "schedule_expr": "@hourly", "payload": payload, **changes})


async def test_calendar_is_created_then_replaced(calendars: CalendarService) -> None:
    first, is_new = await calendars.put(ANN, None, "closed", CLOSED)
    again, is_new_again = await calendars.put(ANN, None, "closed", CalendarDefinition(dates=[date(2026, 5, 1)]))
    assert (first.owner_id, is_new, is_new_again) == ("ann", True, False)
    assert again.definition["dates"] == ["2026-05-01"]
    assert await calendars.days(ANN, None, "closed", None) == (2026, [date(2026, 5, 1)])


async def test_calendar_is_new_once_for_requests_at_the_same_time(calendars: CalendarService) -> None:
    stored = await asyncio.gather(*(calendars.put(ANN, None, "closed", CLOSED) for _ in range(8)))
    assert sorted(is_new for _, is_new in stored) == [False] * 7 + [True]


async def test_calendar_of_another_owner_is_not_found(calendars: CalendarService) -> None:
    await calendars.put(ADMIN, "bob", "closed", CLOSED)
    assert await calendars.list_calendars(ANN, None) == []
    with pytest.raises(NotFoundError):
        await calendars.get(ANN, None, "closed")
    with pytest.raises(InvalidInputError):
        await calendars.get(ANN, "bob", "closed")


async def test_built_in_names_cannot_be_taken(calendars: CalendarService) -> None:
    with pytest.raises(ConflictError, match="built-in calendar"):
        await calendars.put(ANN, None, "de-BY-holidays", CLOSED)


async def test_job_cannot_name_an_unknown_calendar(calendars: CalendarService, jobs: JobService) -> None:
    await calendars.put(ADMIN, "bob", "closed", CLOSED)
    with pytest.raises(InvalidInputError, match=r"calendars\.1: there is no calendar 'closed'"):
        await jobs.create(ANN, definition(calendars=["business-days", "-closed"]))


async def test_calendar_in_use_cannot_be_deleted(calendars: CalendarService, jobs: JobService) -> None:
    await calendars.put(ANN, None, "closed", CLOSED)
    job = await jobs.create(ANN, definition(calendars=["-closed"]))
    with pytest.raises(ConflictError, match=rf"\({job.id}\)"):
        await calendars.delete(ANN, None, "closed")
    await jobs.patch(ANN, job.id, {"calendars": []})
    await calendars.delete(ANN, None, "closed")


async def test_excluded_instant_has_a_row_with_its_reason(
    calendars: CalendarService, jobs: JobService, database: Database, clock: FakeClock
) -> None:
    await calendars.put(ANN, None, "closed", CLOSED)
    job = await jobs.create(ANN, definition(calendars=["-closed"]))
    clock.advance(3600)
    await Dispatcher(database, RecordingBroker(), clock, tick_seconds=1).tick()
    async with database.read() as connection:
        (run,) = (await run_lists.page(connection, RunFilter(job_id=job.id), Page())).items
    assert (run.status, run.reason) == (RunStatus.SKIPPED, Reason.CALENDAR)


async def test_moved_run_waits_for_the_next_open_day(
    calendars: CalendarService, jobs: JobService, database: Database, clock: FakeClock
) -> None:
    await calendars.put(ANN, None, "closed", CLOSED)
    job = await jobs.create(ANN, definition(calendars=["-closed"], calendar_shift="next_day"))
    clock.advance(3600)
    await Dispatcher(database, RecordingBroker(), clock, tick_seconds=1).tick()
    async with database.read() as connection:
        (run,) = (await run_lists.page(connection, RunFilter(job_id=job.id), Page())).items
    assert (run.status, run.available_at) == (RunStatus.QUEUED, run.scheduled_for + timedelta(days=1))


async def test_next_instants_say_what_calendars_make_of_them(calendars: CalendarService, jobs: JobService) -> None:
    await calendars.put(ANN, None, "closed", CLOSED)
    job = await jobs.create(ANN, definition(schedule_expr="0 18 * * *", calendars=["-closed"]))
    excluded, allowed = await jobs.next_instants(ANN, job.id, 2)
    assert (excluded.at, excluded.calendar) == (
        datetime(2026, 1, 15, 18, tzinfo=UTC),
        "skipped: a calendar excludes this day",
    )
    assert allowed.calendar is None


ICAL = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//a//b//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260803
DTEND;VALUE=DATE:20260806
SUMMARY:Holidays
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTAMP:20260101T000000Z
DTSTART:20261224T100000Z
DTEND:20261224T180000Z
RRULE:FREQ=YEARLY
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


def test_events_of_an_ical_file_become_dates_and_rules() -> None:
    read = CalendarRequest(ical=ICAL).definition()
    assert read.dates == [date(2026, 8, 3), date(2026, 8, 4), date(2026, 8, 5)]
    assert [(rule.rrule, rule.start) for rule in read.rules] == [("FREQ=YEARLY", date(2026, 12, 24))]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"ical": "no calendar"},
        {"ical": ""},
        {"ical": ICAL.replace("DTSTART", "X-START")},
        {"ical": ICAL.replace("RRULE:FREQ=YEARLY", "RRULE:FREQ=YEARLY\r\nEXDATE:20271224T100000Z")},
        {"ical": ICAL.replace("20260806", "20300806")},
        {"ical": ICAL.replace("20260806", "20270801") * 1000},
        {"ical": ICAL + "x" * 300_000},
        {"rules": [{"rrule": "FREQ=SECONDLY"}]},
        {"holidays": [{"country": "XX"}]},
    ],
)
def test_unusable_calendar_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CalendarRequest.model_validate(document)


def test_message_about_an_ical_file_is_bounded() -> None:
    with pytest.raises(ValidationError) as caught:
        CalendarRequest(ical=ICAL.replace("20260803", "1" * 100_000))
    assert len(caught.value.errors()[0]["msg"]) < 500


def test_place_without_a_subdivision_is_the_whole_country() -> None:
    read = CalendarRequest.model_validate({"holidays": [{"country": "DE", "subdivision": None}], "ical": None})
    assert read.definition().holidays[0].subdivision is None
