"""A crowd of slow clients does not keep others from being served. `make faultlab` lets a larger one come."""

from __future__ import annotations

import asyncio
from pathlib import Path

from testkit.slow_clients import Crowd, Service, crowded
from tests.api.processes import serving

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY

SERVED = {200, 429, 503}
SECONDS = 3.0
MAX_GROWTH_MB = 50


def test_others_are_served_while_slow_clients_hold_connections(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        service = Service(server.url, DEVELOPMENT_API_KEY, server.process.pid)
        seen = asyncio.run(crowded(service, Crowd(40, 60, 20), ["/api/v1/events"], SECONDS))
    assert seen.statuses[200] > 0
    assert seen.statuses.keys() <= SERVED
    assert max(seen.descriptors) >= seen.descriptors[0] + 100
    assert seen.descriptors_left <= 0
    assert seen.memory_growth_mb <= MAX_GROWTH_MB
