"""The record of an API key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key. `owner_id` None: it belongs to no owner, as only an administrator's may."""

    id: int
    public_id: str
    digest: str
    name: str
    owner_id: str | None
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
