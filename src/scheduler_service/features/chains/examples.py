"""Examples for the API's documentation."""

from __future__ import annotations

from typing import Any

LINK: dict[str, Any] = {
    "run_id": 92,
    "upstream_run_id": 91,
    "job_id": 8,
    "job_name": "load",
    "status": "success",
    "reason": None,
    "message": None,
    "trigger": "dependency",
    "queued_at": "2026-01-15T10:30:05Z",
    "started_at": "2026-01-15T10:30:05Z",
    "finished_at": "2026-01-15T10:30:07Z",
}
FIRST: dict[str, Any] = {
    **LINK,
    "run_id": 91,
    "upstream_run_id": None,
    "job_id": 7,
    "job_name": "extract",
    "trigger": "schedule",
    "queued_at": "2026-01-15T10:30:00Z",
    "started_at": "2026-01-15T10:30:00Z",
    "finished_at": "2026-01-15T10:30:05Z",
}
