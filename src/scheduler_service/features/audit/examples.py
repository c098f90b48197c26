"""An entry of the audit trail, as the documentation of the API shows it."""

from __future__ import annotations

from typing import Any

ENTRY: dict[str, Any] = {
    "id": 4711,
    "at": "2026-01-15T10:12:00Z",
    "key_id": "4f1f2c9b7a10",
    "caller_owner_id": "math_team",
    "address": "192.0.2.10",
    "operation": "patchJob",
    "object": "jobs/7",
    "owner_id": "math_team",
    "outcome": "done",
    "changes": {"schedule_expr": {"before": "@hourly", "after": "@daily"}},
    "correlation_id": "5f0c1c5e7f6a4c0c9d5a1c1b5b0e9a77",
}
