"""One instant: with an offset, or local to the job's zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import Instant, parse

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


def instant(text: str, dst: DstPolicy = DstPolicy()) -> Instant:  # noqa: B008 (frozen)
    schedule = parse(text, timezone="Europe/Berlin", dst=dst, anchor_at=ANCHOR)
    assert isinstance(schedule, Instant)
    return schedule


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-12-31T23:59:59Z", "2026-12-31T23:59:59+00:00"),
        ("2026-12-31t23:59:59z", "2026-12-31T23:59:59+00:00"),
        ("2026-12-31 23:59:59Z", "2026-12-31T23:59:59+00:00"),
        ("20261231T235959Z", "2026-12-31T23:59:59+00:00"),
        ("2026-12-31T23:59:59.25+05:45", "2026-12-31T18:14:59.250000+00:00"),
        ("2026-12-31T23:59:59", "2026-12-31T22:59:59+00:00"),
        ("2026-07-01T12:00", "2026-07-01T10:00:00+00:00"),
        ("2026-03-29T02:30", "2026-03-29T01:00:00+00:00"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00+00:00"),
        ("1999-01-01T00:00Z", "1999-01-01T00:00:00+00:00"),
    ],
)
def test_instant_is_read_from_iso_8601(text: str, at: str) -> None:
    assert instant(text).at.isoformat() == at
    assert instant(text).at.tzinfo is UTC


def test_second_pass_of_a_fold_is_chosen_by_the_policy() -> None:
    assert instant("2026-10-25T02:30", DstPolicy(fold="second")).at.isoformat() == "2026-10-25T01:30:00+00:00"


def test_instant_fires_once() -> None:
    once = instant("2026-12-31T23:59:59Z")
    assert once.next_after(ANCHOR) == once.at
    assert once.next_after(once.at) is None
    assert list(once.between(ANCHOR, once.at + timedelta(days=1))) == [once.at]
