"""A whole service in the embedded setting, and somebody to tell."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.alerts.receiver import Receiver
from tests.engine.conftest import service, settings

__all__ = ["service", "settings"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver
