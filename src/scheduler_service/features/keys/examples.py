"""An API key, as the documentation of the API shows it."""

from __future__ import annotations

from typing import Any

DEFINITION: dict[str, Any] = {"owner_id": "math_team", "name": "nightly reports", "scopes": ["read", "write", "run"]}

KEY: dict[str, Any] = {
    "id": "4f1f2c9b7a10",
    "name": "nightly reports",
    "owner_id": "math_team",
    "scopes": ["read", "write", "run"],
    "status": "active",
    "created_at": "2026-01-15T10:12:00Z",
    "expires_at": None,
    "last_used_at": "2026-01-15T10:30:00Z",
    "revoked_at": None,
}

CREATED: dict[str, Any] = {
    **KEY,
    "last_used_at": None,
    "key": "sk_4f1f2c9b7a10_mO3bQ0m5pXK8JwW1V2s7kq0rF4b9nQeT6yUhGxZcLaE",
}
