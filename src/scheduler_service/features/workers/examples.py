"""A worker, as the documentation of the API shows it."""

from __future__ import annotations

from typing import Any

WORKER: dict[str, Any] = {
    "id": "host-4711-1f6a9c3e",
    "host": "host",
    "pid": 4711,
    "monitor_name": "worker-1@host",
    "state": "alive",
    "unfit_reason": None,
    "slots": 2,
    "busy": 1,
    "runs": [{"run_id": 91, "job_id": 7, "job_name": "etl", "attempt": 1, "started_at": "2026-01-15T10:30:00.010000Z"}],
    "sandbox_level": "strict",
    "tags": [],
    "grants": ["backup"],
    "started_at": "2026-01-15T08:00:00Z",
    "seen_at": "2026-01-15T10:30:02Z",
    "heartbeat_age_seconds": 0.4,
    "drain_requested_at": None,
}
