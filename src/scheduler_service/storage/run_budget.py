"""How many runs the quotas of owners allow in one transaction: of the minute, and none without room for logs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.quotas import Quotas, rate_text, storage_text
from scheduler_service.storage import quotas as owner_quotas
from scheduler_service.storage import stored_bytes


@dataclass(slots=True)
class RunBudget:
    """The runs of this minute by owner: allowed ones, those before this transaction, and those of this transaction.

    Owners without a quota of them are in none of these. `full` has owners whose quota of logs and artifacts is used up,
    with the megabytes that are used and allowed.
    """

    allowed: dict[str, int]
    used: dict[str, int]
    spent: dict[str, int] = field(default_factory=dict)
    full: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    async def open(cls, connection: AsyncConnection, owners: Collection[str], now: datetime, defaults: Quotas) -> Self:
        """Read the budget of owners, and lock it until the commit."""
        found = await owner_quotas.find_all(connection, set(owners), defaults)
        allowed = {owner: quotas.runs_per_minute for owner, quotas in found.items()}
        limited = {owner: allowed for owner, allowed in sorted(allowed.items()) if allowed is not None}
        # In the order of their ids, as every transaction.
        used = {owner: await owner_quotas.open_minute(connection, owner, now) for owner in limited}
        return cls(limited, used, full=await _full(connection, found))

    def left(self, owner_id: str) -> int | None:
        """Return how many runs an owner may still queue in this minute, or None if no quota limits them."""
        if owner_id in self.full:
            return 0
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
        return storage_text(*self.full[owner_id]) if owner_id in self.full else rate_text(self.allowed[owner_id])


async def _full(connection: AsyncConnection, found: Mapping[str, Quotas]) -> dict[str, tuple[int, int]]:
    allowed = {owner: quotas.stored_mb for owner, quotas in found.items() if quotas.stored_mb is not None}
    used = await stored_bytes.find_mb(connection, allowed)
    return {owner: (each, allowed[owner]) for owner, each in used.items() if each >= allowed[owner]}
