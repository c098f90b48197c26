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

WINDOW: dict[str, Any] = {
    "from": "2026-01-15T08:00:00Z",
    "to": "2026-01-15T11:00:00Z",
    "bucket": "hour",
    "owed": 12,
    "served": 10,
    "skipped": 1,
    "missed": 1,
    "planned": 3,
    "is_planned_cut": False,
    "cells": [
        {
            "at": "2026-01-15T10:00:00Z",
            "owed": 12,
            "planned": 3,
            "by_status": {"success": 9, "failed": 1, "skipped": 1, "missed": 1},
            "by_reason": {"exit_code": 1, "overlap": 1, "misfire": 1},
        }
    ],
    "not_owed": [{"from": "2026-01-15T08:00:00Z", "to": "2026-01-15T10:00:00Z"}],
}
