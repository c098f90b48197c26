"""A secret, as the documentation of the API shows it."""

from __future__ import annotations

from typing import Any

SECRET: dict[str, Any] = {
    "name": "warehouse-password",
    "owner_id": "math_team",
    "key_id": "5d2c71b0",
    "created_at": "2026-01-15T10:12:00Z",
    "updated_at": "2026-01-15T10:12:00Z",
    "last_used_at": "2026-01-15T10:30:00Z",
}

NEW: dict[str, Any] = {**SECRET, "last_used_at": None}

VALUE: dict[str, Any] = {"value": "correct horse battery staple"}

REENCRYPTION: dict[str, Any] = {"key_id": "5d2c71b0", "reencrypted": 12}
