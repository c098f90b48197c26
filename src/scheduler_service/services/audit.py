"""Writes the audit trail: who changed what, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Change:
    """The fields of an object before and after an operation. None: there was no object, or there is none any more."""

    target: Target
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


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
    """Store who did what to one object. `operation` is its name in the API's documentation."""
    await record_all(connection, caller, operation, [Change(target, before, after)], now)


async def record_all(
    connection: AsyncConnection, caller: Caller, operation: str, changes: Sequence[Change], now: datetime
) -> None:
    """Store who changed several objects by one operation, with one statement."""
    of_all: dict[str, Any] = {
        "at": now,
        "key_id": caller.key_id,
        "caller_owner_id": caller.owner_id,
        "address": caller.address,
        "operation": operation,
        "outcome": DONE,
        "correlation_id": logging_config.current_correlation_id(),
    }
    of_each = [
        {
            "object": change.target.name,
            "owner_id": change.target.owner_id,
            "changes": difference(change.before, change.after) or None,
        }
        for change in changes
    ]
    await audit.add(connection, *(of_all | each for each in of_each))
