"""The table of secrets."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table, Text, UniqueConstraint

from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, UtcInstant

secrets = Table(
    "secrets",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("name", String(64), nullable=False),
    Column("key_id", String(8), nullable=False),
    # The nonce, and the value encrypted with AES-256-GCM.
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Column("updated_at", UtcInstant, nullable=False),
    Column("last_used_at", UtcInstant),
    UniqueConstraint("owner_id", "name"),
)
