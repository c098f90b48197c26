"""Jitter: where it puts a run, and the warning when it exceeds the time between instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_service.domain.firing import FiringRules, OverlapPolicy
from scheduler_service.domain.jitter import jitter_warning, jittered
from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import parse

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def warning(expr: str, jitter_seconds: float, policy: OverlapPolicy = "skip", slots: int = 1) -> str | None:
    schedule = parse(expr, timezone="UTC", dst=DstPolicy(), anchor_at=NOON)
    return jitter_warning(schedule, jitter_seconds, FiringRules(overlap_policy=policy, max_concurrency=slots), NOON)


@pytest.mark.parametrize(
    ("policy", "effect"),
    [
        ("skip", "an instant that comes while earlier runs wait out theirs is skipped (overlap_policy is skip)."),
        ("cancel_running", "a run that waits its out is cancelled by the next instant that finds no free slot"),
        ("queue", "runs may begin in another order than that of their instants (overlap_policy is queue)."),
        ("allow", "runs may begin in another order than that of their instants (overlap_policy is allow)."),
    ],
)
def test_warning_states_the_effect_under_each_policy(policy: OverlapPolicy, effect: str) -> None:
    text = warning("10s", 60, policy)

    assert text is not None
    assert text.startswith("jitter_seconds is 60, and instants follow each other more quickly: ")
    assert effect in text


@pytest.mark.parametrize(
    ("expr", "jitter_seconds", "is_told"),
    [
        ("10s", 10, False),
        ("10s", 10.5, True),
        ("10s", 0, False),
        ("*/5 * * * *", 300, False),
        ("*/5 * * * *", 301, True),
        ("0,1 9 * * *", 90, True),
        ("0 9 * * *", 3600, False),
        ("2026-01-15T13:00:00Z", 3600, False),
        ("2020-01-01T00:00:00Z", 3600, False),
    ],
)
def test_warning_depends_on_the_upcoming_instants(expr: str, jitter_seconds: float, *, is_told: bool) -> None:
    assert (warning(expr, jitter_seconds) is not None) is is_told


@pytest.mark.parametrize(
    ("policy", "slots", "is_told"),
    [("skip", 5, True), ("skip", 6, False), ("cancel_running", 6, False), ("queue", 6, True), ("allow", 6, True)],
)
def test_warning_depends_on_max_concurrency(policy: OverlapPolicy, slots: int, *, is_told: bool) -> None:
    assert (warning("10s", 60, policy, slots) is not None) is is_told


def test_jittered_start_is_the_same_for_every_dispatcher() -> None:
    instants = [NOON + timedelta(minutes=number) for number in range(200)]
    waits = [(jittered(1, instant, 600) - instant).total_seconds() for instant in instants]
    assert waits == [(jittered(1, instant, 600) - instant).total_seconds() for instant in instants]
    assert min(waits) >= 0
    assert max(waits) < 600
    assert max(waits) - min(waits) > 500, "they are spread"


def test_jitter_spreads_jobs_of_one_instant() -> None:
    assert len({jittered(job_id, NOON, 600) for job_id in range(100)}) == 100


def test_run_without_jitter_begins_at_its_instant() -> None:
    assert jittered(1, NOON, 0) == NOON
