"""A receiver of requests."""

from __future__ import annotations

from tests.engine.conftest import settings
from tests.features.alerts.conftest import hurry, receiver

__all__ = ["hurry", "receiver", "settings"]
