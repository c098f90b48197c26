"""The leg that surrounds the service with slow clients while a job fires every second."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from testkit.commands import Service as Running
from testkit.commands import up
from testkit.programs import execute
from testkit.slow_clients import Crowd, Seen, Service, crowded
from testkit.waiting import wait_until

from faultlab.promise import Promise
from scheduler_service.config.api_key import DEVELOPMENT_API_KEY

CROWD = Crowd(slow=200, idle=300, followers=100)
LOG_BYTES = 8_000_000
MAX_P99_SECONDS = 1.0
MAX_LATENESS_SECONDS = 1.0
MAX_GROWTH_MB = 50.0
SERVED = frozenset({200, 429, 503})


def surround(directory: Path, seconds: float, crowd: Crowd = CROWD) -> list[Promise]:
    """Surround a service for some seconds, and check what others notice of it."""
    with up(directory, execute) as running:
        stream = f"/api/v1/runs/{_long_run(running)}/logs"
        every_second = running.call("POST", "jobs", _job("every second", "1s", "true"))["id"]
        service = Service(running.url, DEVELOPMENT_API_KEY, running.process.pid)
        began_at = datetime.now(UTC)
        seen = asyncio.run(crowded(service, crowd, [stream, "/api/v1/events"], seconds))
        lateness = _lateness(running, every_second, began_at)
    return promises(seen, lateness, seconds)


def promises(seen: Seen, lateness: list[float], seconds: float) -> list[Promise]:
    """Return the promises about what was seen, and about the lateness of the runs that fired."""
    late = max(lateness, default=0.0)
    growth, count = seen.memory_growth_mb, sum(seen.statuses.values())
    left = seen.descriptors_left
    return [
        Promise(
            "a well-behaved client is served, or gets 429 or 503", seen.statuses.keys() <= SERVED, f"{seen.statuses}"
        ),
        Promise("99 of 100 requests take at most 1 s", seen.p99 <= MAX_P99_SECONDS, f"{seen.p99:.3f} s of {count}"),
        Promise("the job fires every second", len(lateness) >= seconds - 2, f"{len(lateness)} in {seconds:g} s"),
        Promise("every run begins within 1 s", late <= MAX_LATENESS_SECONDS, f"{late:.3f} s at most"),
        Promise("memory grows by at most 50 MB", growth <= MAX_GROWTH_MB, f"{growth:.1f} MB"),
        Promise("no connection or descriptor is left", left <= 0, f"{left} of {max(seen.descriptors)}"),
    ]


def _long_run(running: Running) -> int:
    """Execute a run with a long log, and return its id."""
    script = f"head -c {LOG_BYTES} /dev/zero | tr '\\0' x"
    job = running.call("POST", "jobs", _job("long log", None, script) | {"limits": {"output_kb": 10_000}})
    run_id: int = running.call("POST", f"jobs/{job['id']}/run")["id"]
    wait_until(lambda: running.call("GET", f"runs/{run_id}")["finished_at"])
    return run_id


def _job(name: str, schedule: str | None, script: str) -> dict[str, object]:
    return {"name": name, "schedule_expr": schedule, "payload": {"type": "shell_script", "script": script}}


def _lateness(running: Running, job_id: int, since: datetime) -> list[float]:
    """Return the lateness of the runs since an instant; one that has not begun counts with its age."""
    found, page = [], 1
    while True:
        path = f"jobs/{job_id}/runs?size=100&page={page}&since={since:%Y-%m-%dT%H:%M:%SZ}"
        runs = running.call("GET", path)["runs"]
        found += [run["lateness_seconds"] for run in runs if run["lateness_seconds"] is not None]
        if not runs:
            return found
        page += 1
