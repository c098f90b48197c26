"""The services without a dispatcher and a worker, so that nothing runs and nothing changes by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scheduler_service.bootstrap.base import open_base
from scheduler_service.bootstrap.request_side import Service, make_service
from scheduler_service.brokers.local import LocalBroker
from scheduler_service.config.settings import Settings


@asynccontextmanager
async def open_request_side(settings: Settings) -> AsyncIterator[Service]:
    """Open the services, also on SQLite. For `create_application`."""
    settings.prepare_data_dir()
    async with open_base(settings) as base:
        yield make_service(base, LocalBroker(lambda: None), lambda: None)
