"""The records of the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One operation, or one refused attempt at an operation."""

    id: int
    at: datetime
    key_id: str | None
    caller_owner_id: str | None
    address: str | None
    operation: str
    object: str | None
    owner_id: str | None
    outcome: str
    changes: Mapping[str, Any] | None
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are wanted. None: any."""

    key_id: str | None = None
    owner_id: str | None = None
    operation: str | None = None
    object: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
