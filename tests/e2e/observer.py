"""Somebody who asks the API of a cluster how it is."""

from __future__ import annotations

import asyncio
import re
import time

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from tests.e2e.cluster import Cluster
from tests.e2e.gate import Gate
from tests.waiting import eventually

from scheduler_service.cli.devstack_servers import free_port

# Five are promised; the machine of a test has other things to do.
TRUTH_SECONDS = 5.0 + 5.0


class Observer:
    """Somebody who asks the API of a cluster."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx2.AsyncClient(base_url=url, timeout=10, verify=False)

    async def started(self) -> None:
        async def has_started() -> bool:
            try:
                return await self.lives()
            except httpx2.TransportError:
                return False

        await eventually(has_started)

    async def told(self, component: str, status: str, *, code: int, within: float = TRUTH_SECONDS) -> float:
        """Wait for a component to be told as that; returns the seconds that it took."""
        begun_at, document = time.monotonic(), {}
        while time.monotonic() - begun_at < within:
            answer = await self._client.get("/health/ready")
            document = answer.json()
            told = document["components"].get(component, {}).get("status")
            if (told, answer.status_code) == (status, code):
                return time.monotonic() - begun_at
            await asyncio.sleep(0.1)
        raise AssertionError(document)

    async def figure(self, name: str, **labels: str) -> float:
        text = (await self._client.get("/metrics")).raise_for_status().text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return next(sample.value for sample in samples if sample.name == name and sample.labels == labels)

    async def lives(self) -> bool:
        return (await self._client.get("/health/live")).status_code == 200

    async def close(self) -> None:
        await self._client.aclose()


async def start_api(cluster: Cluster, gate: Gate | None = None) -> Observer:
    url = cluster.environment["DATABASE_URL"]
    if gate is not None:
        url = re.sub(r":\d+/", f":{gate.port}/", url)
    port = str(free_port())
    cluster.start("uvicorn", "src.app.main:app", "--port", port, DATABASE_URL=url)
    observer = Observer(f"http://127.0.0.1:{port}")
    await observer.started()
    return observer
