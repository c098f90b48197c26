"""A service in the embedded mode, and a receiver of webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.engine.conftest import settings
from tests.features.alerts.receiver import Receiver

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.settings import Settings
from scheduler_service.features.alerts import detector, sender
from scheduler_service.outbound import web

__all__ = ["settings"]


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """A service for one test, since its rules would alert about the runs of other tests."""
    async with open_service(settings) as service:
        yield service


@pytest.fixture(autouse=True)
def _check_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time between checks."""
    monkeypatch.setattr(detector, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(detector, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(sender, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(sender, "IDLE_SECONDS", 0.05)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the timeout of a try, and the time between tries."""
    monkeypatch.setattr(web, "DELIVERY_SECONDS", 1.5)
    monkeypatch.setattr(sender, "FIRST_DELAY_SECONDS", 0.2)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver
