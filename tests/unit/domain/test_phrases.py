"""Schedules in words, or in the syntax of other schedulers, are refused with a remedy."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.phrases import remedy_for
from scheduler_service.domain.schedules.schedule import parse
from scheduler_service.errors import InvalidInputError

REMEDIES = {
    "every 5 minutes": "write 5m or */5 * * * *",
    "5 minutes": "write 5m or */5 * * * *",
    "5 Min": "write 5m or */5 * * * *",
    "1 hour": "write 1h or 0 * * * *",
    "every hour": "write 1h or 0 * * * *",
    "every minute": "write 1m or * * * * *",
    "every five minutes": "write 5m or */5 * * * *",
    "every 7 minutes": "write 7m",
    "every 30s": "write 30s or */30 * * * * *",
    "every 1h30m": "write 1h30m",
    "2 hours 30 minutes": "write 2h30m",
    "every other day": "write 2d",
    "rate(5 minutes)": "write 5m or */5 * * * *",
    "hourly": "write @hourly",
    "midnight": "write 0 0 * * *",
    "noon": "write 0 12 * * *",
    "every day at 9": "write 0 9 * * *",
    "daily at 09:00": "write 0 9 * * *",
    "@daily at 9": "write 0 9 * * *",
    "Every day at 9:30 PM": "write 30 21 * * *",
    "every day at 12 am": "write 0 0 * * *",
    "09:00": "write 0 9 * * *",
    "weekdays at 8am": "write 0 8 * * MON-FRI",
    "every monday at 10:30": "write 30 10 * * MON",
    "last day of the month": "write 0 0 L * *",
    "0 0 12 * * ?": "a pattern has no ? and no year here; write 0 12 * * *",
    "0 0 12 ? * 2-6": "a pattern has no ? and no year here; write 0 12 * * MON-FRI",
    "30 0 12 ? * MON#2": "a pattern has no ? and no year here; write 30 0 12 * * MON#2",
    "0 0 12 * * ? *": "a pattern has no ? and no year here; write 0 12 * * *",
    "0 0 12 ? * MON-FRI 2027": (
        "a pattern has no ? and no year here; write 0 12 * * MON-FRI, and the year 2027 into start_at and end_at"
    ),
    "cron(0 12 ? * 2 *)": "a pattern has no ? and no year here; write 0 12 * * MON",
}


@pytest.mark.parametrize("text", REMEDIES)
def test_schedule_in_words_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse(text, timezone="UTC", dst=DstPolicy(), anchor_at=datetime(2026, 1, 1, tzinfo=UTC))

    (problem,) = refused.value.problems
    assert problem.field == "schedule_expr"
    assert problem.message == f"not a schedule; {REMEDIES[text]}"


@pytest.mark.parametrize("remedy", [each for each in REMEDIES.values() if each.startswith("write ")])
def test_remedy_is_a_valid_schedule(remedy: str) -> None:
    for expr in remedy.removeprefix("write ").split(" or "):
        parse(expr, timezone="UTC", dst=DstPolicy(), anchor_at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "text", ["", "now", "every", "at 25", "daily at 24:00", "0 0 12 ? * 9", "every 0 minutes", "x?"]
)
def test_text_without_meaning_gets_no_remedy(text: str) -> None:
    assert remedy_for(text) is None
