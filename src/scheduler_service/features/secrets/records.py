"""The record of a secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A stored secret. `sealed` is its encrypted value; `key_id` names the key that decrypts it."""

    id: int
    owner_id: str
    name: str
    key_id: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None
