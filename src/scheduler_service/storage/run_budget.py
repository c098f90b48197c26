"""How many runs the quotas of owners allow in one transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.quotas import Quotas, rate_text
from scheduler_service.storage import quotas as owner_quotas


@dataclass(slots=True)
class RunBudget:
    """The runs of this minute by owner: allowed ones, those before this transaction, and those of this transaction.

    Owners without a quota of them are in none of these.
    """

    allowed: dict[str, int]
    used: dict[str, int]
    spent: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def open(cls, connection: AsyncConnection, owners: Collection[str], now: datetime, defaults: Quotas) -> Self:
        """Read the budget of owners, and lock it until the commit."""
        found = await owner_quotas.find_all(connection, set(owners), defaults)
        allowed = {owner: quotas.runs_per_minute for owner, quotas in found.items()}
        limited = {owner: allowed for owner, allowed in sorted(allowed.items()) if allowed is not None}
        # In the order of their ids, as every transaction.
        used = {owner: await owner_quotas.open_minute(connection, owner, now) for owner in limited}
        return cls(limited, used)

    def left(self, owner_id: str) -> int | None:
        """Return how many runs an owner may still queue in this minute, or None if it has no such quota."""
        if owner_id not in self.allowed:
            return None
        return max(0, self.allowed[owner_id] - self.used[owner_id] - self.spent.get(owner_id, 0))

    def spend(self, owner_id: str, count: int) -> None:
        """Count runs that this transaction queues."""
        if count and owner_id in self.allowed:
            self.spent[owner_id] = self.spent.get(owner_id, 0) + count

    async def store(self, connection: AsyncConnection) -> None:
        """Store the counts."""
        for owner_id, count in sorted(self.spent.items()):
            await owner_quotas.add_runs(connection, owner_id, count)

    def text(self, owner_id: str) -> str:
        """Return why an owner may queue no further run."""
        return rate_text(self.allowed[owner_id])
