"""Writes the audit trail: who changed what, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.audit_diff import difference
from scheduler_service.domain.caller import Caller
from scheduler_service.storage import audit
from scheduler_service.telemetry import logging_config

DONE, REFUSED = "done", "refused"


@dataclass(frozen=True, slots=True)
class Target:
    """The object of an operation, such as `jobs/7`, and its owner."""

    name: str
    owner_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An attempt that was answered with 401 or 403. `caller` is None if there was no valid key."""

    operation: str
    path: str
    status: int
    address: str | None
    caller: Caller | None


async def record(
    connection: AsyncConnection,
    caller: Caller,
    operation: str,
    target: Target,
    now: datetime,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Store who did what. `operation` is its name in the API's documentation.

    `before` and `after` are the fields of the object; None: there was no object before, or there is none afterwards.
    """
    await audit.add(
        connection,
        {
            "at": now,
            "key_id": caller.key_id,
            "caller_owner_id": caller.owner_id,
            "address": caller.address,
            "operation": operation,
            "object": target.name,
            "owner_id": target.owner_id,
            "outcome": DONE,
            "changes": difference(before, after) or None,
            "correlation_id": logging_config.current_correlation_id(),
        },
    )
