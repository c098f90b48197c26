"""Quotas, as the documentation of the API shows them."""

from __future__ import annotations

from typing import Any

DEFINITION: dict[str, Any] = {"jobs": 200, "runs_per_minute": 60, "concurrent_runs": 4, "weight": 2}

OWN: dict[str, Any] = {
    "jobs": 200,
    "min_interval_seconds": None,
    "runs_per_minute": 60,
    "concurrent_runs": 4,
    "environments": None,
    "stored_mb": None,
    "weight": 2,
}

QUOTAS: dict[str, Any] = {
    "owner_id": "math_team",
    "quotas": {
        "jobs": {"used": 17, "allowed": 200},
        "min_interval_seconds": {"used": None, "allowed": None},
        "runs_per_minute": {"used": 12, "allowed": 60},
        "concurrent_runs": {"used": 4, "allowed": 4},
        "environments": {"used": 2, "allowed": None},
        "stored_mb": {"used": None, "allowed": None},
    },
    "weight": 2,
    "own": OWN,
}
