"""Steps that the tests of alerts share."""

from __future__ import annotations

from typing import Any

from testkit.callers import ADMIN
from testkit.waiting import eventually
from tests.features.alerts.receiver import Received, Receiver

from scheduler_service.bootstrap import Service
from scheduler_service.features.alerts.records import AlertRule
from scheduler_service.features.alerts.service import AlertService

BASE_URL = "https://scheduler.example.org"
SECRET = "correct-horse"  # noqa: S105 (of a test)


def shell(script: str) -> dict[str, Any]:
    return {"type": "shell_script", "script": script}


async def add_rule(service: Service, url: str, *kinds: str, **changes: Any) -> AlertRule:
    channel = {"type": "webhook", "url": url, "secret": SECRET}
    definition = {"name": "a rule", "on": list(kinds), "channel": channel, **changes}
    return await service.feature(AlertService).create(ADMIN, definition)


async def requests_to(receiver: Receiver, path: str, count: int) -> list[Received]:
    async def look() -> list[Received] | None:
        found = receiver.of(path)
        return found if len(found) >= count else None

    found: list[Received] = await eventually(look)
    return found


async def delivered(service: Service, rule: AlertRule, deadline_seconds: float = 90.0) -> None:
    async def look() -> bool:
        found = await service.feature(AlertService).deliveries(ADMIN, rule.id)
        return bool(found) and all(one.status == "delivered" for one in found)

    await eventually(look, deadline_seconds)
