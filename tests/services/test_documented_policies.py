"""The examples of docs/policies.md, computed by the functions that fire jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from testkit.callers import ADMIN
from testkit.doubles import FakeClock
from tests.database_fixtures import ON_SQLITE

from scheduler_service.domain.simulation import SimulatedRow
from scheduler_service.services.simulation_request import SimulationRequest
from scheduler_service.services.simulations import SimulationService
from scheduler_service.storage.database import Database

PAGE = (Path(__file__).parents[2] / "docs/policies.md").read_text()
EXAMPLE = re.compile(r"```json\n(?P<request>.*?)\n```\n\n(?P<table>(?:\|[^\n]*\n)+)", re.DOTALL)
DAY = "2026-01-15T"
BASE = {"name": "a job", "schedule_expr": "*/10 * * * *", "payload": {"type": "shell_script", "script": "true"}}


def examples() -> Iterator[Any]:
    for found in EXAMPLE.finditer(PAGE):
        rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in found["table"].splitlines()]
        yield pytest.param(json.loads(found["request"]), rows[2:], id=found["request"])


def on_the_day(value: Any) -> Any:
    """Return a request with its times of day as instants."""
    if isinstance(value, dict):
        return {name: on_the_day(member) for name, member in value.items()}
    if isinstance(value, list):
        return [on_the_day(member) for member in value]
    is_time = isinstance(value, str) and re.fullmatch(r"\d\d:\d\d", value)
    return f"{DAY}{value}:00Z" if is_time else value


def clock_time(instant: datetime) -> str:
    return f"{instant:%H:%M}"


def shown(row: SimulatedRow) -> tuple[str, str]:
    """Return an instant, or a range of missed ones, and its outcome, as the page shows them."""
    instant = clock_time(row.scheduled_for)
    if row.missed_until is not None and row.missed_count != 1:
        instant = f"{instant} to {clock_time(row.missed_until)} ({row.missed_count})"
    if row.status == "success" and row.starts_at is not None:
        return instant, f"runs at {clock_time(row.starts_at)}"
    return instant, f"{row.status.value} ({row.reason})"


@ON_SQLITE
@pytest.mark.parametrize(("request_body", "rows"), list(examples()))
async def test_example_has_the_documented_ledger(
    database: Database, clock: FakeClock, request_body: dict[str, Any], rows: list[tuple[str, str]]
) -> None:
    document = on_the_day({"from": "10:00", "to": "11:00", **request_body, "job": {**BASE, **request_body["job"]}})
    request = SimulationRequest.model_validate_json(json.dumps(document))
    simulated = await SimulationService(database, clock).simulate(ADMIN, request)
    assert [shown(row) for row in simulated.rows] == rows


def test_page_has_every_policy() -> None:
    words = (
        "fire_once",
        "fire_all",
        "catchup_limit",
        "cancel_running",
        "allow",
        "max_concurrency",
        "max_runs",
        "pauses",
    )
    bodies = " ".join(found["request"] for found in EXAMPLE.finditer(PAGE))
    assert [word for word in words if word not in bodies] == []
