"""Example documents for the API documentation."""

from __future__ import annotations

from typing import Any

from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.services.job_definition import JobDefinition

Example = dict[str, Any]

DEFINITION: Example = {
    "name": "Mathematical Analysis",
    "schedule_expr": "*/10 * * * *",
    "timezone": "Europe/Berlin",
    "payload": {"type": "python_code", "code": "import numpy as np\nprint(np.pi)"},
    "retry_policy": {"max_retries": 3, "retry_delay": 60, "backoff_factor": 2.0},
    "owner_id": "math_team",
    "tags": ["nightly"],
}

DEFINITIONS: Example = {
    "python": {"summary": "Python with numpy, every ten minutes", "value": DEFINITION},
    "shell": {
        "summary": "A shell script on working days at half past eight in New York",
        "value": {
            "name": "Disk report",
            "schedule_expr": "30 8 * * MON-FRI",
            "timezone": "America/New_York",
            "payload": {"type": "shell_script", "script": "df -h / | tail -1"},
        },
    },
    "numbers": {
        "summary": "A calculation, every five minutes from now on",
        "value": {
            "name": "Primes",
            "schedule_expr": "5m",
            "payload": {"type": "number_crunching", "operation": "prime_numbers", "limit": 1000000},
        },
    },
    "program": {
        "summary": "A program, once",
        "value": {
            "name": "Happy new year",
            "schedule_expr": "2099-12-31T23:59:59Z",
            "payload": {"type": "program", "argv": ["echo", "Happy new year"]},
        },
    },
    "on_demand": {
        "summary": "A job that only runs when it is asked to",
        "value": {
            "name": "Rebuild the index",
            "schedule_expr": None,
            "payload": {"type": "shell_script", "script": "./rebuild"},
        },
    },
    "request": {
        "summary": "An HTTP request, every morning, with checks of the response",
        "value": {
            "name": "Nightly report is there",
            "schedule_expr": "0 7 * * *",
            "payload": {
                "type": "http_request",
                "url": "https://example.com/reports/latest",
                "headers": {"Accept": "application/json"},
                "expect": {"status": 200, "json_path": {"$.state": "complete"}},
            },
            "limits": {"network": True},
        },
    },
}

PATCHES: Example = {
    "schedule": {"summary": "Another schedule", "value": {"schedule_expr": "@hourly"}},
    "on_demand": {"summary": "No schedule: only on demand", "value": {"schedule_expr": None}},
    "retries": {"summary": "One field of an object", "value": {"retry_policy": {"max_retries": 5}}},
    "default": {"summary": "Null: back to the default", "value": {"timeout_seconds": None}},
}

RUN_REQUESTS: Example = {
    "plain": {"summary": "As the job is", "value": {}},
    "changed": {
        "summary": "With other arguments and variables, even if the job is busy",
        "value": {"args": {"day": "2026-01-14"}, "env": {"LEVEL": "debug"}, "ignore_overlap": True},
    },
}

_POLICY = DEFINITION["retry_policy"]
# Not validated: that would load the kinds of payload at import.
_WHOLE = JobDefinition.model_construct(**{**DEFINITION, "retry_policy": RetryPolicy(**_POLICY)})

JOB: Example = {
    "id": 1,
    **_WHOLE.model_dump(mode="json"),
    "environment_id": None,
    "environment_state": None,
    "status": "active",
    "pause_reason": None,
    "paused_until": None,
    "next_run_at": "2026-01-15T10:30:00Z",
    "last_run_at": "2026-01-15T10:20:00Z",
    "last_run_status": "success",
    "schedule_description": "Every 10 minutes",
    "version": 1,
    "created_at": "2026-01-15T10:12:00Z",
    "updated_at": "2026-01-15T10:12:00Z",
    "warnings": [],
    "left_out": [],
}

JOB_PAGE: Example = {"jobs": [JOB], "total": 1, "page": 1, "size": 10}

RUN: Example = {
    "id": 1,
    "job_id": 1,
    "job_name": "Mathematical Analysis",
    "job_version": 1,
    "status": "success",
    "reason": None,
    "message": None,
    "trigger": "schedule",
    "scheduled_for": "2026-01-15T10:30:00Z",
    "missed_until": None,
    "missed_count": None,
    "retry_of": None,
    "queued_at": "2026-01-15T10:30:00Z",
    "available_at": "2026-01-15T10:30:00Z",
    "started_at": "2026-01-15T10:30:00.010000Z",
    "finished_at": "2026-01-15T10:30:05.010000Z",
    "duration_seconds": 5.0,
    "expected_seconds": 4.8,
    "lateness_seconds": 0.01,
    "log_bytes": 18,
    "logs": "3.141592653589793\n",
    "logs_tail": False,
    "logs_truncated": False,
    "attempt": 1,
    "retry_count": 0,
    "exit_code": 0,
    "signal": None,
    "result": None,
    "artifacts": [{"name": "report.html", "size": 18234}],
    "worker": "host-4711-1f6a9c3e",
    "cancel_requested_at": None,
    "requested_by": None,
    "correlation_id": "5f0c1c5e7f6a4c0c9d5a1c1b5b0e9a77",
    "isolation": {"level": "strict", "layers": ["landlock", "seccomp"]},
    "grants": [],
    "usage": {"cpu_seconds": 0.1, "max_rss_kb": 51234},
    "args": None,
    "env": None,
}

QUEUED_RUN: Example = {
    **RUN,
    "status": "queued",
    "trigger": "manual",
    "started_at": None,
    "finished_at": None,
    "duration_seconds": None,
    "lateness_seconds": None,
    "log_bytes": 0,
    "logs": "",
    "requested_by": "API_KEY",
    "attempt": 0,
    "exit_code": None,
    "worker": None,
    "isolation": None,
    "grants": None,
    "usage": None,
}

RUN_PAGE: Example = {"runs": [RUN], "total": 1, "page": 1, "size": 10}

RUN_WHOLE: Example = {
    **RUN,
    "attempts": [
        {
            "attempt": 1,
            "log_offset": 0,
            "status": "success",
            "reason": None,
            "message": None,
            "started_at": "2026-01-15T10:30:00.010000Z",
            "finished_at": "2026-01-15T10:30:05.010000Z",
            "duration_seconds": 5.0,
            "exit_code": 0,
            "signal": None,
            "worker": "host-4711-1f6a9c3e",
            "isolation": {"level": "strict", "layers": ["landlock", "seccomp"]},
            "usage": {"cpu_seconds": 0.1, "max_rss_kb": 51234},
        }
    ],
}

LOG_EVENTS = (
    'event: log\ndata: {"offset": 0, "text": "3.141592653589793\\n"}\nid: 18\n\n'
    'event: end\ndata: {"status": "success"}\nid: 18\n\n'
)
