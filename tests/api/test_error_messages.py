"""Errors say in plain words what is wrong and what to write."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from tests.api.conftest import DEFINITION, SHARED
from tests.database_fixtures import SHARED_ON_SQLITE

pytestmark = [SHARED, SHARED_ON_SQLITE]

JSON = {"Content-Type": "application/json"}
CHANNEL = {"type": "email", "to": ["a@example.org"]}


def statistics(**changes: Any) -> dict[str, Any]:
    return {"payload": {"type": "number_crunching", "operation": "statistics", **changes}}


DETAILS: list[tuple[dict[str, Any], str]] = [
    ({"name": 5}, 'must be text in double quotes, such as "a"'),
    ({"name": None}, 'must be text in double quotes, such as "a"'),
    ({"name": " "}, "must not be empty or blank; write at least 1 character"),
    ({"name": "x" * 201}, "must have at most 200 characters; shorten it"),
    ({"tags": "a"}, "must be a JSON array"),
    ({"tags": ["a"] * 51}, "must have at most 50 items; remove some"),
    ({"env": {f"V{number}": "" for number in range(101)}}, "must have at most 100 items; remove some"),
    ({"payload": {"type": "program", "argv": []}}, "must have at least 1 item; add one"),
    ({"payload": 5}, "must be a JSON object"),
    ({"payload": {"type": "programme"}}, "did you mean program?"),
    ({"priority": "3"}, "must be a whole number, such as 3; remove the quotes"),
    ({"priority": 3.5}, "must be a whole number, such as 3"),
    ({"priority": 10}, "must be 9 or less"),
    ({"priority": -1}, "must be 0 or more"),
    ({"priority": 1e308}, "must be 9 or less"),
    ({"retry_policy": {"max_retries": "3"}}, "must be a whole number, such as 3; remove the quotes"),
    ({"retry_policy": {"max_retries": 1e308}}, "must be 100 or less"),
    ({"retry_policy": {"retry_delay": "3"}}, "must be a number, such as 1.5; remove the quotes"),
    ({"timeout_seconds": True}, "must be a number, such as 1.5"),
    ({"timeout_seconds": 604_801}, "must be 604800 or less"),
    ({"limits": {"memory_mb": 2_000_000}}, "must be 1048576 or less"),
    (statistics(values=[1e151]), "must be 1e+150 or less"),
    (statistics(size=5, seed=2**63), f"must be {2**63 - 1} or less"),
    (statistics(values=[]), "must have at least 1 item; add one"),
    ({"enabled": "off"}, "must be true or false, without quotes"),
    ({"overlap_policy": "never"}, "must be one of skip, queue, allow, cancel_running"),
    ({"overlap_policy": "skp"}, "must be one of skip, queue, allow, cancel_running; did you mean skip?"),
    (
        {"start_at": "2026-13-01T00:00:00Z"},
        "not an instant (month value is outside expected range of 1-12); write it as",
    ),
    ({"start_at": "2026-01-01T00:00:00"}, "needs an offset from UTC, such as Z or +01:00"),
    ({"args": [1]}, "must be a JSON object"),
]


@pytest.mark.parametrize(("changes", "detail"), DETAILS, ids=lambda value: repr(value)[:50])
async def test_error_of_a_field_says_what_to_write(
    client: httpx2.AsyncClient, changes: dict[str, Any], detail: str
) -> None:
    answer = await client.post("/api/v1/jobs", content=json.dumps({**DEFINITION, **changes}), headers=JSON)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert detail in error["detail"]
    assert "pydantic" not in answer.text.lower()
    assert "Input " not in error["detail"]


@pytest.mark.parametrize(
    ("query", "field", "detail"),
    [
        ("/stats?window=1w", "window", "must be 1 to 9999 minutes, hours or days, such as 15m, 1h or 7d"),
        ("/runs?since=2026-01-01T00:00:00+02:00", "since", "in a URL, + encodes a space; write %2B02:00"),
        (
            "/runs?since=2026-01-01T00:00:00%2B02:00&until=2025-01-01T00:00:00Z",
            "until",
            "must not be earlier than since",
        ),
        ("/runs?since=2026-01-01", "since", "write it as 2026-12-31T23:59:59Z"),
        ("/jobs?q=%ff", "q", "not valid UTF-8; write each byte of the character's UTF-8 as %XX"),
        ("/jobs/1?a=%ff", "a", "not valid UTF-8"),
        ("/jobs?page=0", "page", "must be 1 or more"),
        ("/jobs?status=runing", "status", "must be one of active, paused"),
    ],
)
async def test_error_of_a_query_says_what_to_write(
    client: httpx2.AsyncClient, query: str, field: str, detail: str
) -> None:
    answer = await client.get(f"/api/v1{query}")

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert detail in error["detail"]


async def test_window_of_runs_may_mix_offsets(client: httpx2.AsyncClient) -> None:
    window = "since=2026-01-01T00:00:00%2B02:00&until=2025-12-31T22:00:00Z"

    assert (await client.get(f"/api/v1/runs?{window}")).status_code == 200


async def test_long_field_names_are_cut_in_errors(client: httpx2.AsyncClient) -> None:
    name = "x" * 500_000

    answer = await client.post("/api/v1/jobs", json={**DEFINITION, name: 1, "limits": {name: 1}})

    assert len(answer.content) < 3_000
    fields = {error["field"]: error["pointer"] for error in answer.json()["errors"]}
    cut = "x" * 100 + "…"
    assert fields == {cut: f"#/{cut}", f"limits.{cut}": f"#/limits/{cut}"}


async def test_long_parameter_names_are_cut_in_errors(client: httpx2.AsyncClient) -> None:
    answer = await client.get(f"/api/v1/jobs?{'x' * 5_000}=1")

    assert answer.json()["errors"][0]["field"] == "x" * 100 + "…"


@pytest.mark.parametrize("end_at", ["2026-01-01T00:00:00Z", "2026-01-01t02:00:00+02:00"])
async def test_error_shows_an_instant_as_it_was_sent(client: httpx2.AsyncClient, end_at: str) -> None:
    answer = await client.post("/api/v1/jobs", json={**DEFINITION, "schedule_expr": "@hourly", "end_at": end_at})

    assert [(error["field"], error["value"]) for error in answer.json()["errors"]] == [("end_at", end_at)]


async def test_error_shows_null_only_when_null_was_sent(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs", json={"name": None, "schedule_expr": "5m"})

    name, payload = answer.json()["errors"]
    assert (name["field"], name["value"]) == ("name", None)
    assert payload == {"field": "payload", "pointer": "#/payload", "detail": "required; add it"}
