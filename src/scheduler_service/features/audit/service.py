"""Reads the audit trail, and stores refused attempts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from scheduler_service.domain.audit import AuditEntry, AuditFilter
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.errors import SchedulerError
from scheduler_service.features.audit.refusals import RefusalLimit
from scheduler_service.services.audit import REFUSED, Refusal, Target, record
from scheduler_service.storage import audit
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.telemetry import logging_config

log = structlog.get_logger(__name__)


class AuditService:
    """Shows the trail to administrators."""

    def __init__(self, database: Database, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._limit = RefusalLimit(monotonic)

    async def page(self, caller: Caller, filters: AuditFilter, size: int) -> Sequence[AuditEntry]:
        """Return up to `size` entries, the newest first."""
        caller.require(Scope.ADMIN)
        async with self._database.read() as connection:
            return await audit.page(connection, filters, size)

    async def note_login(self, caller: Caller) -> None:
        """Store that a browser logged in with a key."""
        async with self._database.write() as connection:
            await record(connection, caller, "logIn", Target(f"keys/{caller.key_id}"), self._clock.now())

    async def note(self, refusal: Refusal) -> None:
        """Store a refused attempt, unless there were too many in this minute. A failure is logged."""
        left_out = self._limit.admit()
        if left_out is None:
            return
        caller = refusal.caller
        values = {
            "at": self._clock.now(),
            "key_id": None if caller is None else caller.key_id,
            "caller_owner_id": None if caller is None else caller.owner_id,
            "address": refusal.address,
            "operation": refusal.operation,
            "object": refusal.path,
            "outcome": REFUSED,
            "changes": {"status": refusal.status, **({"left_out_before": left_out} if left_out else {})},
            "correlation_id": logging_config.current_correlation_id(),
        }
        try:
            async with self._database.write() as connection:
                await audit.add(connection, values)
        except SchedulerError as error:
            log.warning("refusal_not_stored", error=str(error))
