"""A client of a cluster's health and metrics."""

from __future__ import annotations

import asyncio
import re
import time

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from scheduler_service.cli.devstack_servers import free_port
from testkit.cluster import Cluster
from testkit.gate import Gate
from testkit.waiting import eventually

# Health promises to notice a fault within five seconds; a busy machine may need five more.
HEALTH_SECONDS = 5.0 + 5.0


class Observer:
    """A client of one API process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx2.AsyncClient(base_url=url, timeout=10, verify=False)

    async def wait_until_live(self) -> None:
        async def has_started() -> bool:
            try:
                return await self.is_live()
            except httpx2.TransportError:
                return False

        await eventually(has_started)

    async def wait_for(self, component: str, status: str, *, code: int, within: float = HEALTH_SECONDS) -> float:
        """Wait until readiness reports this status of a component. Return the seconds that it took."""
        begun_at, document = time.monotonic(), {}
        while time.monotonic() - begun_at < within:
            answer = await self._client.get("/health/ready")
            document = answer.json()
            reported = document["components"].get(component, {}).get("status")
            if (reported, answer.status_code) == (status, code):
                return time.monotonic() - begun_at
            await asyncio.sleep(0.1)
        raise AssertionError(document)

    async def metric(self, name: str, **labels: str) -> float:
        text = (await self._client.get("/metrics")).raise_for_status().text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return next(sample.value for sample in samples if sample.name == name and sample.labels == labels)

    async def is_live(self) -> bool:
        return (await self._client.get("/health/live")).is_success

    async def close(self) -> None:
        await self._client.aclose()


async def start_api(cluster: Cluster, gate: Gate | None = None) -> Observer:
    url = cluster.environment["DATABASE_URL"]
    if gate is not None:
        url = re.sub(r":\d+/", f":{gate.port}/", url)
    port = str(free_port())
    cluster.start("uvicorn", "src.app.main:app", "--port", port, DATABASE_URL=url)
    observer = Observer(f"http://127.0.0.1:{port}")
    await observer.wait_until_live()
    return observer
