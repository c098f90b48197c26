"""A whole service in the embedded setting, and somebody to tell."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.alerts.receiver import Receiver
from tests.engine.conftest import service, settings

from scheduler_service.alerts import web
from scheduler_service.engine import delivery

__all__ = ["service", "settings"]


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let receivers have less time, and tries follow each other sooner."""
    monkeypatch.setattr(web, "PATIENCE_SECONDS", 1.5)
    monkeypatch.setattr(delivery, "FIRST_DELAY_SECONDS", 0.2)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver
