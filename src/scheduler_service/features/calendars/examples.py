"""A calendar, as the documentation of the API shows it."""

from __future__ import annotations

from typing import Any

DEFINITION: dict[str, Any] = {
    "dates": ["2026-12-24", "2026-12-31"],
    "rules": [{"rrule": "FREQ=MONTHLY;BYDAY=-1FR", "start": "2026-01-01"}],
    "holidays": [{"country": "DE", "subdivision": "BY"}],
}

CALENDAR: dict[str, Any] = {
    "name": "plant-closed",
    "owner_id": "math_team",
    **DEFINITION,
    "created_at": "2026-01-15T10:12:00Z",
    "updated_at": "2026-01-15T10:12:00Z",
}

DAYS: dict[str, Any] = {"name": "de-BY-holidays", "year": 2027, "days": ["2027-01-01", "2027-01-06"]}
