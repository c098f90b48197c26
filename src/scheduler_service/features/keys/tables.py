"""The table of API keys, and the installation's own secret key that their hashes are made with."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table, Text, UniqueConstraint

from scheduler_service.storage.tables import metadata
from scheduler_service.storage.types import BigId, Json, UtcInstant

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("public_id", String(12), nullable=False),
    # HMAC-SHA256 of the secret, which itself is stored nowhere.
    Column("digest", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("owner_id", Text),
    Column("scopes", Json, nullable=False),
    Column("created_at", UtcInstant, nullable=False),
    Column("expires_at", UtcInstant),
    Column("last_used_at", UtcInstant),
    Column("revoked_at", UtcInstant),
    UniqueConstraint("public_id"),
)

# One row, written by the process that needs it first.
key_pepper = Table(
    "key_pepper",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=False),
    Column("pepper", LargeBinary, nullable=False),
)
