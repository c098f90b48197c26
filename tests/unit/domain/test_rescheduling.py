"""How an edit of a job changes its schedule."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from testkit.databases import NOON
from testkit.records import job_record

from scheduler_service.domain.rescheduling import date_problem, first_instant, is_rescheduled, rescheduled
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import parse
from scheduler_service.errors import ConflictError, InvalidInputError

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOW = NOON + 10 * MINUTE + timedelta(seconds=30)
ACTIVE = job_record(next_run_at=NOON + 11 * MINUTE)
PAUSED = job_record(status=JobStatus.PAUSED, next_run_at=None)
FINISHED = job_record(status=JobStatus.FINISHED, next_run_at=None, schedule_expr="2026-01-15T12:05:00Z")


@pytest.mark.parametrize("job", [ACTIVE, PAUSED, FINISHED], ids=["active", "paused", "finished"])
@pytest.mark.parametrize(
    ("changes", "next_run_at"),
    [
        ({"schedule_expr": "7m"}, NOW + 7 * MINUTE),
        ({"schedule_expr": "@hourly", "timezone": "Asia/Kathmandu"}, NOON + 15 * MINUTE),
        ({"schedule_expr": "@hourly", "start_at": NOON + 2 * HOUR}, NOON + 2 * HOUR),
    ],
)
def test_new_schedule_begins_at_the_edit(job: Any, changes: dict[str, Any], next_run_at: Any) -> None:
    edited = rescheduled(job, replace(job, **changes), enabled=True, now=NOW)
    assert (edited.status, edited.next_run_at) == (JobStatus.ACTIVE, next_run_at)
    assert (edited.anchor_at, edited.schedule_version) == (NOW, job.schedule_version + 1)


def test_disabled_job_with_a_new_schedule_is_paused() -> None:
    edited = rescheduled(ACTIVE, replace(ACTIVE, schedule_expr="7m"), enabled=False, now=NOW)
    assert (edited.status, edited.next_run_at, edited.schedule_version) == (JobStatus.PAUSED, None, 2)


@pytest.mark.parametrize("enabled", [True, False])
def test_new_schedule_without_an_instant_is_refused(*, enabled: bool) -> None:
    with pytest.raises(InvalidInputError, match="schedule_expr: the instant is in the past"):
        rescheduled(ACTIVE, replace(ACTIVE, schedule_expr="2026-01-15T12:00:00Z"), enabled=enabled, now=NOW)


@pytest.mark.parametrize("enabled", [True, False])
def test_edit_of_anything_else_leaves_the_schedule(*, enabled: bool) -> None:
    job = ACTIVE if enabled else PAUSED
    edited = replace(job, name="b", priority=9, jitter_seconds=5.0)
    assert rescheduled(job, edited, enabled=enabled, now=NOW) == edited


def test_paused_job_has_no_next_instant() -> None:
    assert rescheduled(ACTIVE, ACTIVE, enabled=False, now=NOW) == replace(
        ACTIVE, status=JobStatus.PAUSED, next_run_at=None
    )


def test_resumed_job_keeps_its_anchor() -> None:
    job = replace(PAUSED, schedule_expr="7m")
    assert rescheduled(job, job, enabled=True, now=NOW) == replace(
        job, status=JobStatus.ACTIVE, next_run_at=NOON + 14 * MINUTE
    )


def test_job_without_future_instants_cannot_be_resumed() -> None:
    job = replace(PAUSED, end_at=NOON + 5 * MINUTE)
    with pytest.raises(ConflictError, match="give the job a new schedule_expr"):
        rescheduled(job, job, enabled=True, now=NOW)


def test_finished_job_cannot_be_paused_and_stays_finished() -> None:
    with pytest.raises(ConflictError, match="the job is finished"):
        rescheduled(FINISHED, FINISHED, enabled=False, now=NOW)
    assert rescheduled(FINISHED, replace(FINISHED, name="b"), enabled=True, now=NOW) == replace(FINISHED, name="b")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"name": "b", "priority": 9, "payload": {}}, False),
        ({"schedule_expr": ACTIVE.schedule_expr, "timezone": "UTC"}, False),
        ({"schedule_expr": "7m"}, True),
        ({"timezone": "Europe/Berlin"}, True),
        ({"dst_gap": "skip"}, True),
        ({"dst_fold": "both"}, True),
        ({"start_at": NOON}, True),
        ({"end_at": NOON}, True),
    ],
)
def test_edit_reschedules_a_job_if_it_changes_instants(changes: dict[str, Any], *, expected: bool) -> None:
    assert is_rescheduled(ACTIVE, changes) is expected


@pytest.mark.parametrize(
    ("expr", "bounds", "field"),
    [
        ("@hourly", {}, None),
        ("@hourly", {"end_at": NOON + HOUR}, None),
        ("@hourly", {"end_at": NOON + HOUR - timedelta(seconds=1)}, "end_at"),
        ("2026-01-15T12:05:00Z", {}, "schedule_expr"),
        ("2026-01-16T12:00:00Z", {"start_at": NOON + 48 * HOUR}, "start_at"),
    ],
)
def test_refusal_names_the_bound_that_leaves_no_instant(expr: str, bounds: dict[str, Any], field: str | None) -> None:
    job = job_record(schedule_expr=expr, **bounds)
    schedule = parse(expr, timezone="UTC", dst=DstPolicy(), anchor_at=NOON)
    problem = date_problem(schedule, job, NOW)
    assert (None if problem is None else problem.field) == field
    if field is not None:
        with pytest.raises(InvalidInputError, match=field):
            first_instant(schedule, job, NOW)
