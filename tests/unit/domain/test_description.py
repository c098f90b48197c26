"""Descriptions of schedules in English."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import Schedule, describe, parse
from scheduler_service.errors import InvalidInputError

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def schedule(expr: str) -> Schedule:
    return parse(expr, timezone="Europe/Berlin", dst=DstPolicy(), anchor_at=NOW)


@pytest.mark.parametrize(
    ("expr", "sentence"),
    [
        ("*/10 * * * *", "Every 10 minutes (Europe/Berlin)"),
        ("30 14 * * mon-fri", "At 14:30, Monday through Friday (Europe/Berlin)"),
        ("@daily", "At 00:00 (Europe/Berlin)"),
        ("0 0 L * *", "At 00:00, on the last day of the month (Europe/Berlin)"),
        ("0 0 LW * *", "At 00:00, on the last weekday of the month (Europe/Berlin)"),
        ("0 0 * * 5L", "At 00:00, on the last Friday of the month (Europe/Berlin)"),
        ("0 0 * * MON#2", "At 00:00, on the second Monday of the month (Europe/Berlin)"),
        ("0 0 1 * MON", "At 00:00, on day 1 of the month, or on Monday (Europe/Berlin)"),
        ("0 0 13 * MON#1", "At 00:00, on day 13 of the month, or on the first Monday of the month (Europe/Berlin)"),
        ("0 0 13 * 5L", "At 00:00, on day 13 of the month, or on the last Friday of the month (Europe/Berlin)"),
        ("0 0 */2 * MON", "At 00:00, every 2 days, and only on Monday (Europe/Berlin)"),
        ("*/5 * * * * *", "Every 5 seconds (Europe/Berlin)"),
        ("30s", "Every 30 seconds, counted from 2026-01-01 12:00:00 UTC"),
        ("1h", "Every hour, counted from 2026-01-01 12:00:00 UTC"),
        ("1d1h1m", "Every 1 day 1 hour 1 minute, counted from 2026-01-01 12:00:00 UTC"),
        ("1w", "Every 7 days, counted from 2026-01-01 12:00:00 UTC"),
        ("2026-12-31T23:59:59Z", "Once, at 2026-12-31 23:59:59 UTC"),
        ("2026-12-31T23:59", "Once, at 2026-12-31 23:59:00 (Europe/Berlin)"),
    ],
)
def test_schedule_is_described_in_english(expr: str, sentence: str) -> None:
    assert describe(schedule(expr)) == sentence


@pytest.mark.parametrize("expr", ["0 0 * * 0-7", "0 0 1,LW * 1#1,5L", "*/1 0-0 1-31/31 * 7", "0 0 31-31 * *"])
def test_odd_pattern_is_described(expr: str) -> None:
    assert describe(schedule(expr)).endswith("(Europe/Berlin)")


@pytest.mark.parametrize("expr", ["*,5 * * * *", "0 0 1,L * *", "0 0 * * 1,5L", "0 0 * * 1,3#2", "0 0 * * 4/3"])
def test_pattern_is_named_when_a_sentence_would_be_false(expr: str) -> None:
    assert describe(schedule(expr)) == f"At the times of the cron pattern {expr} (Europe/Berlin)"


def test_pattern_is_named_when_there_is_no_sentence() -> None:
    assert describe(schedule("7 14/14,0 * * *")) == "At the times of the cron pattern 7 14/14,0 * * * (Europe/Berlin)"


cron_texts = st.tuples(
    *[st.sampled_from(["*", "*/7", "1", "1-5", "1,3", "1-6/2", "2/3"]) for _ in range(3)],
    st.sampled_from(["*", "L", "LW", "1", "1,L", "1-5,LW", "*/31"]),
    st.sampled_from(["*", "JAN", "1-6/2", "2/3", "JAN-MAR,12"]),
    st.sampled_from(["*", "0", "7", "5L", "MON#2", "MON-FRI", "1,3#1,5L", "*/2", "2/3", "0-7"]),
)


@settings(deadline=None, max_examples=200)
@given(fields=cron_texts)
def test_every_valid_pattern_is_described(fields: tuple[str, ...]) -> None:
    try:
        valid = schedule(" ".join(fields))
    except InvalidInputError:  # the day fields exclude each other
        return
    assert describe(valid).endswith("(Europe/Berlin)")
