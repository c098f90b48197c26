"""A crowd of slow clients around a service, and what a well-behaved client sees meanwhile.

Slow clients send a byte a second, of headers or of a body. Idle ones keep their connection after a request. Followers
ask for a stream and never read. All but followers come back when the service closes their connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from testkit.waiting import eventually

BYTE_SECONDS = 1.0
REQUEST_SECONDS = 0.05
SAMPLE_SECONDS = 0.25
WARMING_REQUESTS = 60
RECEIVE_BUFFER = 2048
HEAD = "Host: localhost\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many clients of each kind."""

    slow: int
    idle: int
    followers: int


@dataclass(slots=True)
class Seen:
    """What a well-behaved client saw, and what the process of the service used."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    memory_mb: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    descriptors_left: int = 0

    @property
    def p99(self) -> float:
        """Return the 99th percentile of the response times of requests that were served."""
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)] if self.seconds else 0.0

    @property
    def memory_growth_mb(self) -> float:
        return max(self.memory_mb) - self.memory_mb[0]


class Service:
    """Where the service answers, with which key, and its process."""

    def __init__(self, url: str, key: str, pid: int) -> None:
        self.host, self.port = urlsplit(url).hostname or "", urlsplit(url).port or 80
        self.url, self.pid = url, pid
        self.head = HEAD.format(key=key)
        self.key = key

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @contextlib.asynccontextmanager
    async def connected(self, **options: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(self.host, self.port, **options)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def crowded(service: Service, crowd: Crowd, streams: list[str], seconds: float) -> Seen:
    """Surround the service for a while, and return what was seen. Followers ask for the paths `streams` in turn."""
    seen = Seen()
    await _warm(service)
    _sample(service, seen)
    async with httpx2.AsyncClient(base_url=service.url, headers={"X-API-Key": service.key}) as client:
        kinds: list[Callable[[Service, int], Coroutine[Any, Any, None]]] = [_slow] * crowd.slow + [_idle] * crowd.idle
        tasks = [asyncio.create_task(_again(kind, service, number)) for number, kind in enumerate(kinds)]
        tasks += [
            asyncio.create_task(_follow(service, streams[number % len(streams)])) for number in range(crowd.followers)
        ]
        watch = asyncio.create_task(_watch(service, seen))
        await _behave(client, seen, time.monotonic() + seconds)
        for task in [watch, *tasks]:
            task.cancel()
        await asyncio.gather(*tasks, watch, return_exceptions=True)

    async def are_closed() -> bool:
        return service.descriptors() <= seen.descriptors[0]

    with contextlib.suppress(AssertionError):
        await eventually(are_closed)
    seen.descriptors_left = service.descriptors() - seen.descriptors[0]
    return seen


async def _warm(service: Service) -> None:
    """Send requests at once: they open the database connections of the service, which stay open."""
    headers = {"X-API-Key": service.key, "Connection": "close"}
    async with httpx2.AsyncClient(base_url=service.url, headers=headers) as client:
        for _ in range(3):
            await asyncio.gather(*(client.get("/api/v1/jobs", timeout=60) for _ in range(WARMING_REQUESTS)))


async def _behave(client: httpx2.AsyncClient, seen: Seen, until: float) -> None:
    """Send requests as a usual client does: lists, previews and probes by turns."""
    number = 0
    while time.monotonic() < until:
        began = time.monotonic()
        if number % 2:
            answer = await client.post("/api/v1/schedules/preview", json={"schedule_expr": "5m"}, timeout=60)
        else:
            answer = await client.get("/api/v1/jobs?size=5", timeout=60)
        seen.statuses[answer.status_code] += 1
        if answer.is_success:
            seen.seconds.append(time.monotonic() - began)
        number += 1
        await asyncio.sleep(REQUEST_SECONDS)


async def _watch(service: Service, seen: Seen) -> None:
    while True:
        _sample(service, seen)
        await asyncio.sleep(SAMPLE_SECONDS)


def _sample(service: Service, seen: Seen) -> None:
    seen.memory_mb.append(service.memory_mb())
    seen.descriptors.append(service.descriptors())


async def _again(kind: Callable[[Service, int], Coroutine[Any, Any, None]], service: Service, number: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            await kind(service, number)
        await asyncio.sleep(BYTE_SECONDS)


async def _slow(service: Service, number: int) -> None:
    """Send headers, or a body, a byte a second."""
    rest = "X-Slow: " + "x" * 1000
    if number % 2:
        begin = f"GET /api/v1/jobs HTTP/1.1\r\n{service.head}"
    else:
        begin = f"POST /api/v1/jobs HTTP/1.1\r\n{service.head}Content-Length: 1000\r\n\r\n"
    async with service.connected() as (_, writer):
        writer.write(begin.encode())
        for letter in rest:
            writer.write(letter.encode())
            await writer.drain()
            await asyncio.sleep(BYTE_SECONDS)


async def _idle(service: Service, _number: int) -> None:
    async with service.connected() as (reader, writer):
        writer.write(f"GET /health/live HTTP/1.1\r\n{service.head}\r\n".encode())
        while await reader.read(4096):
            pass


async def _follow(service: Service, path: str) -> None:
    """Ask for a stream and never read it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    connection.setblocking(False)  # noqa: FBT003
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(connection, (service.host, service.port))
        request = f"GET {path} HTTP/1.1\r\n{service.head}Accept: text/event-stream\r\n\r\n"
        await loop.sock_sendall(connection, request.encode())
        await asyncio.Event().wait()
    finally:
        connection.close()
