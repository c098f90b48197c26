"""The loop that deletes old entries."""

from __future__ import annotations

from datetime import timedelta

from scheduler_service.engine.base import Base
from scheduler_service.engine.loop import start_loop
from scheduler_service.storage import audit

BATCH = 500
REST_SECONDS = 600.0


def start_loops(base: Base) -> None:
    """Start the loop."""
    start_loop(base.stack, "audit_retention", lambda: prune(base))


async def prune(base: Base) -> float:
    """Delete entries older than their retention time in short transactions. Return the seconds until the next call."""
    oldest, removed = base.clock.now() - timedelta(days=base.settings.audit_retention_days), BATCH
    while removed == BATCH:
        async with base.database.write() as connection:
            removed = await audit.prune(connection, oldest, BATCH)
    return REST_SECONDS
