"""Examples for the API's documentation: whole documents, as clients send and get them."""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

DEFINITION: Example = {
    "name": "Tell the team",
    "on": ["failure", "recovery"],
    "owner_id": "math_team",
    "channel": {"type": "webhook", "url": "https://example.org/alerts", "secret": "a-secret-of-yours"},
}

PATCHES: Example = {
    "silence": {"summary": "Send no alerts for now", "value": {"enabled": False}},
    "default": {"summary": "Null: back to the default", "value": {"late_seconds": None}},
}

ALERT: Example = {
    "id": 1,
    "name": "Tell the team",
    "on": ["failure", "recovery"],
    "channel": {"type": "webhook", "url": "https://example.org/alerts", "secret": "***"},
    "job_id": None,
    "owner_id": "math_team",
    "late_seconds": 60.0,
    "too_long_seconds": 3600.0,
    "failures": 3,
    "window_seconds": 3600.0,
    "enabled": True,
    "created_at": "2026-01-15T10:20:00Z",
    "updated_at": "2026-01-15T10:20:00Z",
    "warnings": [],
}

PREVIEWS: Example = {
    "previews": [
        {
            "kind": "failure",
            "headline": "Mathematical Analysis failed: exit code 3",
            "document": {
                "delivery_id": 1,
                "kind": "failure",
                "headline": "Mathematical Analysis failed: exit code 3",
                "at": "2026-01-15T10:30:05Z",
                "job_id": 1,
                "job_name": "Mathematical Analysis",
                "owner_id": "math_team",
                "run_id": 1,
                "reason": "exit_code",
                "seconds": None,
                "count": None,
                "failure": {
                    "attempt": 1,
                    "exit_code": 3,
                    "signal": None,
                    "message": None,
                    "log_tail": "Traceback …\nValueError: no data\n",
                },
                "worker": None,
                "message": None,
                "links": {
                    "job": "http://127.0.0.1:8000/api/v1/jobs/1",
                    "run": "http://127.0.0.1:8000/api/v1/runs/1",
                    "log": "http://127.0.0.1:8000/api/v1/runs/1/logs",
                },
            },
        }
    ]
}

DELIVERY: Example = {
    "id": 1,
    "kind": "test",
    "job_id": None,
    "run_id": None,
    "status": "pending",
    "tries": 0,
    "error": None,
    "created_at": "2026-01-15T10:30:05Z",
    "next_try_at": "2026-01-15T10:30:05Z",
    "ended_at": None,
}
