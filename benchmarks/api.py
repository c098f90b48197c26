"""The processor time of a request, beside a minimal application of FastAPI and SQLAlchemy's ORM by turns.

Both are called in this process without a network. Ours authenticates, checks, and describes each schedule; its jobs
have 38 fields, those of the peer 4.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog
from benchmarks.shared.orm_application import create_app as create_peer
from benchmarks.shared.orm_application import open_engine
from benchmarks.shared.reports import Report, machine_facts, options
from starlette.types import ASGIApp, Message

from scheduler_service.api.app import create_app
from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.config.loading import load_settings

JOB = {"name": "a job", "schedule_expr": "*/10 * * * *", "payload": {"type": "shell_script", "script": "true"}}
BODY = json.dumps(JOB).encode()
JOBS = 50
HEADERS = [
    (b"host", b"localhost"),
    (b"x-api-key", DEVELOPMENT_API_KEY.encode()),
    (b"content-type", b"application/json"),
]
AIMS_MS = {"GET /health": 0.5, "GET 50 jobs": 2, "GET 50 runs": 2, "POST a job": 1.5}


async def call(app: ASGIApp, method: str, path: str, query: bytes = b"", body: bytes = b"") -> None:
    """Send a request, and fail if it is refused."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "headers": HEADERS,
        "state": {},
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:  # noqa: PLR2004 (HTTP's own)
            raise SystemExit(f"{method} {path}: {message['status']}")

    await app(scope, receive, send)


async def milliseconds(app: ASGIApp, request: tuple[Any, ...], count: int) -> float:
    """Return the processor time of one request, of all threads, its share of the background work included."""
    before = time.process_time()
    for _ in range(count):
        await call(app, *request)
    return (time.process_time() - before) / count * 1000


async def measure(report: Report, rounds: int, count: int) -> None:
    """Measure each request at both applications by turns."""
    with tempfile.TemporaryDirectory() as directory:
        settings = load_settings(
            data_dir=Path(directory), database_url=f"sqlite:///{directory}/ours.db", sandbox="none"
        )
        ours, engine = create_app(settings), await open_engine(f"{directory}/peer.db")
        peer = create_peer(engine)
        async with ours.router.lifespan_context(ours):
            for number in range(JOBS):
                await call(ours, "POST", "/api/v1/jobs", b"", BODY)
                await call(peer, "POST", "/jobs", b"", BODY)
                await call(ours, "POST", f"/api/v1/jobs/{number + 1}/run")
            size = f"size={JOBS}".encode()
            pairs: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
                "GET /health": (("GET", "/health"), ("GET", "/health")),
                "GET 50 jobs": (("GET", "/api/v1/jobs", size), ("GET", "/jobs", size)),
                "GET 50 runs": (("GET", "/api/v1/runs", size + b"&logs=none"), ("GET", "/jobs", size)),
                "POST a job": (("POST", "/api/v1/jobs", b"", BODY), ("POST", "/jobs", b"", BODY)),
            }
            for name, (own, other) in pairs.items():
                turns = [
                    (await milliseconds(ours, own, count), await milliseconds(peer, other, count))
                    for _ in range(rounds)
                ]
                report.add(name, "ours", "ms", [mine for mine, _ in turns], at_most=AIMS_MS[name])
                report.add(name, "FastAPI and ORM", "ms", [others for _, others in turns])
                report.add(name, "ours to the peer", "", [mine / others for mine, others in turns])
        await engine.dispose()


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "api")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=20)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    report = Report({"rounds": arguments.rounds, "requests": arguments.requests} | machine_facts())
    asyncio.run(measure(report, arguments.rounds, arguments.requests))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
