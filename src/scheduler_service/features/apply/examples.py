"""Plans and documents, as the documentation of the API shows them."""

from __future__ import annotations

from typing import Any

DOCUMENT: dict[str, Any] = {
    "name": "Nightly report",
    "schedule_expr": "0 2 * * *",
    "timezone": "Europe/Berlin",
    "payload": {"type": "shell_script", "script": "./report"},
    "external_key": "nightly-report",
    "tags": ["reports"],
}

REQUEST: dict[str, Any] = {"documents": [DOCUMENT], "dry_run": True, "prune": {"tag": "reports"}}

PLAN: dict[str, Any] = {
    "plan_id": "9c1185a5c5e9fc54",
    "applied": False,
    "create": 0,
    "change": 1,
    "delete": 0,
    "unchanged": 0,
    "items": [
        {
            "action": "change",
            "document": 0,
            "job_id": 7,
            "owner_id": "math_team",
            "external_key": "nightly-report",
            "name": "Nightly report",
            "changes": {"schedule_expr": {"before": "0 1 * * *", "after": "0 2 * * *"}},
            "fires_before": ["2026-01-16T00:00:00Z", "2026-01-17T00:00:00Z", "2026-01-18T00:00:00Z"],
            "fires_after": ["2026-01-16T01:00:00Z", "2026-01-17T01:00:00Z", "2026-01-18T01:00:00Z"],
        }
    ],
}
