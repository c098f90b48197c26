"""Every page and every read of the API finds its rows by an index, however long the history is.

The statements of each request are caught, and the database explains them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import Engine, event
from testkit import history, site_requests
from testkit.request_side import open_request_side
from tests.web.conftest import SHARED, Browser

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.config.loading import load_settings
from scheduler_service.entrypoints.application import create_application
from scheduler_service.storage import hour_totals
from scheduler_service.storage.database import Database
from scheduler_service.web.app import MODULES

pytestmark = SHARED
JOBS, RUNS = 3_000, 30_000
LARGE = {"jobs", "runs", "job_lookup", "job_tags", "attempts", "run_logs"}
# A page touches the memory of two thousand rows at most, and a month of figures is four thousand rows. A statement that
# reads all runs touches memory for each.
MAX_BLOCKS = 6_000
# A capped count looks at 10,000 rows.
MAX_BLOCKS_OF_COUNT = 12_000
MONTH = timedelta(days=30)
# The ordinary case has no index. What counts such runs stops after 10,000 of them.
ORDINARY = "runs.status IN ('success')"
Asked = list[tuple[str, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    """The application on a history that ends now, without anything that changes it."""
    database = Database(shared_database_url)
    begin = datetime.now(UTC) - MONTH
    await history.fill(database, job_count=JOBS, run_count=RUNS, begin=begin, due=(MONTH, timedelta(days=3)))
    async with database.write() as connection:
        await hour_totals.recount(connection)
    await database.close()
    settings = load_settings(database_url=shared_database_url, data_dir=tmp_path_factory.mktemp("data"), sandbox="none")
    app = create_application(settings, open_request_side)
    async with app.router.lifespan_context(app):
        yield app


@contextmanager
def catching(asked: Asked) -> Iterator[None]:
    """Note all statements that are executed within the block."""

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def faults(database: Database, statement: str, parameters: Any) -> list[str]:
    """Return what is wrong with the plan of a statement: large tables without an index, or too much memory.

    Reading until a page or a capped count is full is right on SQLite, whose tables are in the order of ids.
    """
    async with database.read() as connection:
        if database.is_sqlite:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row.detail for row in plan if row.detail.startswith("SCAN") and row.detail.split()[1] in LARGE]
            return [step for step in steps if "INDEX" not in step and "LIMIT" not in statement]
        # In a small table, PostgreSQL prefers to read all rows. What it still reads so has no index.
        await connection.exec_driver_sql("SET enable_seqscan = off")
        explained = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
        plan = explained.scalar_one()[0]["Plan"]
    allowed = {"runs"} if ORDINARY in statement and "LIMIT" in statement else set()
    found = [f"Seq Scan of {name}" for name in sorted(_scanned(plan) & LARGE - allowed)]
    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    most = MAX_BLOCKS_OF_COUNT if "count(*)" in statement and "LIMIT" in statement else MAX_BLOCKS
    return found + ([f"{blocks} pages of memory"] if blocks > most else [])


def _scanned(plan: dict[str, Any]) -> set[str]:
    own = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return own.union(*(_scanned(inner) for inner in plan.get("Plans", ())))


@pytest.mark.parametrize("prefix", ["/ui", "/api/v1"])
async def test_requests_read_by_indexes(app: FastAPI, browser: Browser, shared_database_url: str, prefix: str) -> None:
    database = Database(shared_database_url)
    browser.client.headers["X-API-Key"] = DEVELOPMENT_API_KEY
    wrong, seen = [], set()
    for path in site_requests.paths(datetime.now(UTC)):
        if not path.startswith(prefix):
            continue
        asked: Asked = []
        with catching(asked):
            answer = await browser.open(path)
        assert answer.status_code == 200, (path, answer.text[:500])
        for statement, parameters in asked:
            if statement.startswith(("SELECT", "WITH")) and (statement, str(parameters)) not in seen:
                seen.add((statement, str(parameters)))
                wrong += [(path, fault, statement) for fault in await faults(database, statement, parameters)]
    await database.close()
    assert not wrong


async def test_every_page_and_read_is_requested(app: FastAPI) -> None:
    requested = [path.partition("?")[0] for path in site_requests.PAGES]
    pages = [route for module in MODULES for route in module.pages.routes if "GET" in (route.methods or ())]
    fields = site_requests.at(datetime.now(UTC))
    missing = {
        route.path for route in pages if not any(route.path_regex.match(path.format(**fields)) for path in requested)
    }
    assert missing == set(site_requests.WITHOUT_ROWS)
    reads = {
        path.removeprefix("/api/v1")
        for path, operations in app.openapi()["paths"].items()
        if "get" in operations and path.startswith("/api/v1")
    }
    called = [path.partition("?")[0].format(**fields) for path in site_requests.CALLS]
    unread = {path for path in reads if not any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), each) for each in called)}
    assert unread == set(site_requests.READS_WITHOUT_ROWS)
