"""A whole service in the embedded setting, and somebody to tell."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.alerts.receiver import Receiver
from tests.engine.conftest import settings

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.settings import Settings
from scheduler_service.engine import alert_detector, alert_sender
from scheduler_service.outbound import web

__all__ = ["settings"]


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """A service of this test's own: a rule would be told of what other tests do."""
    async with open_service(settings) as service:
        yield service


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time between checks: a test would do nothing but wait for it."""
    monkeypatch.setattr(alert_detector, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(alert_sender, "LOOK_SECONDS", 0.05)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time that receivers get, and the time between tries."""
    monkeypatch.setattr(web, "DELIVERY_SECONDS", 1.5)
    monkeypatch.setattr(alert_sender, "FIRST_DELAY_SECONDS", 0.2)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver
