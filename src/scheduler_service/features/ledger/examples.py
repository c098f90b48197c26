"""A check of the ledger, as the documentation of the API shows it."""

from __future__ import annotations

from typing import Any

CHECK: dict[str, Any] = {
    "since": "2026-01-14T10:30:00Z",
    "jobs": 12,
    "owed": 3456,
    "accounted": 3455,
    "differences": [{"job_id": 3, "kind": "missing", "scheduled_for": "2026-01-15T10:20:00Z"}],
    "is_cut": False,
}
