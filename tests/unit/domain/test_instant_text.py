"""Instants as text for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from scheduler_service.domain.instant_text import iso8601


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), "2026-12-31T23:59:59Z"),
        (datetime(2026, 12, 31, 23, 59, 59, 500000, tzinfo=UTC), "2026-12-31T23:59:59.500000Z"),
        (datetime(2026, 12, 31, tzinfo=ZoneInfo("Asia/Kathmandu")), "2026-12-31T00:00:00+05:45"),
    ],
)
def test_instant_is_written_with_z_or_its_offset(instant: datetime, text: str) -> None:
    assert iso8601(instant) == text
