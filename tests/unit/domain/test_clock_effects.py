"""What clock changes make of the instants of a schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.clock_effects import clock_effects, clock_note
from scheduler_service.domain.schedules.schedule import parse

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 29, tzinfo=UTC)
SPRING, AUTUMN = datetime(2027, 3, 28, tzinfo=UTC), datetime(2027, 10, 31, tzinfo=UTC)


def notes(expr: str, day: datetime, **dst: str) -> list[tuple[str, str | None]]:
    """Return the wall-clock times of a schedule on a day, with their notes."""
    schedule = parse(expr, timezone=BERLIN.key, dst=DstPolicy(**dst), anchor_at=NOW)  # type: ignore[arg-type]
    instants = schedule.between(day - timedelta(seconds=1), day + timedelta(hours=12))
    return [(f"{at.astimezone(BERLIN):%H:%M}", clock_note(schedule, BERLIN, at)) for at in islice(instants, 20)]


@pytest.mark.parametrize(
    ("expr", "day", "dst", "noted"),
    [
        ("30 2 * * *", SPRING, {}, [("03:00", "gap")]),
        ("30 2 * * *", SPRING, {"gap": "skip"}, []),
        ("30 2,3 * * *", SPRING, {}, [("03:00", "gap"), ("03:30", None)]),
        ("0 3 * * *", SPRING, {}, [("03:00", None)]),
        ("2027-03-28T02:30:00", SPRING, {}, [("03:00", "gap")]),
        ("30 2 * * *", AUTUMN, {}, [("02:30", "fold_first")]),
        ("30 2 * * *", AUTUMN, {"fold": "both"}, [("02:30", "fold_first"), ("02:30", "fold_second")]),
        ("30 5 * * *", AUTUMN, {}, [("05:30", None)]),
    ],
)
def test_instants_beside_a_clock_change_are_noted(
    expr: str, day: datetime, dst: dict[str, str], noted: list[tuple[str, str | None]]
) -> None:
    assert notes(expr, day, **dst) == noted


@pytest.mark.parametrize(
    ("expr", "times"),
    [("*/15 2 * * *", [4, 4, 4, 4]), ("0 12 * * *", [0, 0, 0, 0]), ("1h", [0, 0, 0, 0]), ("* 2 28 3 *", [60, 0, 0, 0])],
)
def test_clock_changes_count_the_times_that_they_touch(expr: str, times: list[int]) -> None:
    schedule = parse(expr, timezone=BERLIN.key, dst=DstPolicy(), anchor_at=NOW)
    effects = clock_effects(schedule, BERLIN, NOW)
    assert [(effect.at.date().isoformat(), effect.kind) for effect in effects] == [
        ("2027-03-28", "gap"), ("2027-10-31", "fold"), ("2028-03-26", "gap"), ("2028-10-29", "fold"),
    ]  # fmt: skip
    assert [effect.times for effect in effects] == times
