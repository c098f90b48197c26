"""How long the server takes for every page of the web interface and every read of the API, in a long history.

Requests go to the application in this process, without a network. The aim is that 95 of 100 take 30 ms at most.
`--keep` names a directory that keeps the databases for the next time.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import structlog
from benchmarks.dispatch import databases
from benchmarks.shared.processor_time import descendants_ms, own_ms
from benchmarks.shared.reports import Report, machine_facts, options
from fastapi import FastAPI
from testkit import history, servers, site_requests
from testkit.request_side import open_request_side

from scheduler_service.cli import devstack_servers
from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.config.loading import load_settings
from scheduler_service.entrypoints.application import create_application
from scheduler_service.storage import hour_totals, migrations
from scheduler_service.storage.database import Database

AIM_MS = 30
# Due from three hours on, so that a history that is kept stays as it is for a while.
DUE = (timedelta(days=30, hours=3), timedelta(days=3))


async def fill(url: str, jobs: int, runs: int) -> dict[str, float]:
    """Store the history in an empty database. Return the seconds that took, and those of counting its hours."""
    database = Database(url)
    await migrations.upgrade(database)
    async with database.read() as connection:
        is_empty = (await connection.exec_driver_sql("SELECT id FROM runs LIMIT 1")).first() is None
    began, filled = time.perf_counter(), 0.0
    if is_empty:
        await history.fill(
            database, job_count=jobs, run_count=runs, begin=datetime.now(UTC) - timedelta(days=30), due=DUE
        )
        filled = time.perf_counter()
        async with database.write() as connection:
            await hour_totals.recount(connection)
    await database.close()
    return {"stored in": filled - began, "hours counted in": time.perf_counter() - filled} if is_empty else {}


async def measure(report: Report, kind: str, url: str, directory: Path, arguments: argparse.Namespace) -> None:
    """Measure each page and each call."""
    for what, seconds in (await fill(url, arguments.jobs, arguments.runs)).items():
        report.add(f"{kind}, history", what, "s", [seconds])
        print(f"{kind}: {what} {seconds:.0f} s", file=sys.stderr)
    settings = load_settings(database_url=url, data_dir=directory, sandbox="none")
    app = create_application(settings, open_request_side)
    async with app.router.lifespan_context(app):
        client = await _logged_in(app)
        for path in site_requests.paths(datetime.now(UTC)):
            if arguments.only in path:
                taken, used = await _times(client, path, arguments.rounds)
                figures = f"{_p95(taken):8.1f} {statistics.median(taken):8.1f} {used:8.1f}"
                print(f"{kind:10} {figures} {path}", file=sys.stderr)
                report.add(f"{kind} {path}", "95 of 100 requests", "ms", [_p95(taken)], at_most=AIM_MS)
                report.add(f"{kind} {path}", "request", "ms", taken)
                report.add(f"{kind} {path}", "processor", "ms", [used])


async def _times(client: httpx2.AsyncClient, path: str, rounds: int) -> tuple[list[float], float]:
    """Return the milliseconds of each request, and the mean processor time of one, PostgreSQL included."""
    taken: list[float] = []
    await _ask(client, path)  # compiles statements and templates
    used_before = own_ms() + descendants_ms()
    for _ in range(rounds):
        before = time.perf_counter()
        await _ask(client, path)
        taken.append((time.perf_counter() - before) * 1000)
    return taken, (own_ms() + descendants_ms() - used_before) / rounds


async def _ask(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)
    if response.is_error:
        raise SystemExit(f"{path}: {response.status_code} {response.text[:500]}")


async def _logged_in(app: FastAPI) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, client=("127.0.0.1", 1))
    client = httpx2.AsyncClient(
        transport=transport, base_url="http://localhost", headers={"X-API-Key": DEVELOPMENT_API_KEY}
    )
    page = await client.get("/ui/login")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    headers = {"Sec-Fetch-Site": "same-origin"}
    await client.post("/ui/login", data={"csrf_token": token, "key": DEVELOPMENT_API_KEY}, headers=headers)
    return client


def _p95(values: list[float]) -> float:
    return sorted(values)[-(-len(values) * 95 // 100) - 1]


@contextmanager
def kept_databases(directory: Path) -> Iterator[dict[str, str]]:
    """Yield databases of a directory, as `databases` yields new ones."""
    directory.mkdir(parents=True, exist_ok=True)
    with devstack_servers.postgres(directory, directory / "programs", servers.DURABLE) as url:
        yield {"SQLite": f"sqlite:///{directory.absolute()}/bench.db", "PostgreSQL": f"{url}/postgres"}


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "pages")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="directory of databases to use again")
    parser.add_argument("--only", default="", help="measure only addresses that contain this text")
    parser.add_argument("--database", choices=["SQLite", "PostgreSQL"], help="measure only this one")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    facts = {"jobs": arguments.jobs, "runs": arguments.runs, "rounds": arguments.rounds}
    report = Report(facts | machine_facts())
    with (
        tempfile.TemporaryDirectory() as data,
        kept_databases(arguments.keep) if arguments.keep else databases() as urls,
    ):
        for kind, url in urls.items():
            if arguments.database in {None, kind}:
                asyncio.run(measure(report, kind, url, Path(data) / kind, arguments))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
