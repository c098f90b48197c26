"""The names of secrets that jobs of an owner can use."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.features.secrets import store


class OwnersSecrets:
    """Knows the secrets that are stored."""

    async def names(self, connection: AsyncConnection, owner_id: str) -> frozenset[str]:
        """Return the names of the secrets of an owner."""
        return await store.names_of(connection, owner_id)
