"""Bad input is refused where it is wrong, nothing is stored, and the service answers well afterwards.

The tables of `bad_inputs` are sent to one application. The tests name every line that is answered otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from tests.api.bad_inputs.requests import CODE, Bad
from tests.api.bad_inputs.tables import TABLES
from tests.api.conftest import DEFINITION, SHARED, create
from tests.database_fixtures import SHARED_ON_SQLITE

from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import metadata

pytestmark = [SHARED, SHARED_ON_SQLITE]  # none of the cases may leave a trace

# Those that change by themselves: signs of life, the trail of refused attempts, and a random number made once.
CHANGING = {"workers", "dispatchers", "audit_entries", "key_pepper"}


@pytest.mark.parametrize("kind", TABLES)
async def test_bad_input_is_refused_and_leaves_no_trace(app: FastAPI, client: httpx2.AsyncClient, kind: str) -> None:
    job = await create(client, schedule_expr="@yearly", end_at="2099-02-01T00:00:00Z")
    before = await rows(app)
    wrong = {}
    for name, bad in TABLES[kind].items():
        url = bad.url.replace("{job}", str(job["id"]))
        answer = await client.request(bad.method, url, content=bad.content, headers=bad.headers)
        if found := mistake_of(answer, bad):
            wrong[name] = found
    assert wrong == {}
    assert await rows(app) == before
    assert (await client.get(f"/api/v1/jobs/{job['id']}")).json() == job
    assert (await client.post("/api/v1/schedules/preview", json={"schedule_expr": "5m"})).status_code == HTTPStatus.OK
    await client.delete(f"/api/v1/jobs/{job['id']}")


def mistake_of(answer: httpx2.Response, bad: Bad) -> str | None:
    """Return what is wrong with an answer to bad input, or None."""
    if answer.status_code != bad.status:
        return f"{answer.status_code}, not {bad.status}: {answer.text[:300]}"
    if bad.status < HTTPStatus.BAD_REQUEST:
        return None
    problem = json.loads(answer.content.decode("utf-8"))
    if answer.headers["Content-Type"] != "application/problem+json" or problem["status"] != bad.status:
        return f"no problem document: {answer.text[:300]}"
    if bad.place is not None and (places := list(places_of(problem)))[:1] != [bad.place]:
        return f"names {places}, not {bad.place}: {problem['detail'][:300]}"
    return None


def places_of(problem: dict[str, Any]) -> Iterator[str]:
    for error in problem["errors"]:
        assert error["detail"]
        assert len(json.dumps(error)) < 2000
        yield error["pointer"] if "pointer" in error else error["field"]


async def rows(app: FastAPI) -> dict[str, int]:
    """Return how many rows each table has."""
    database: Database = app.state.service.jobs._database
    async with database.read() as connection:
        return {
            name: (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for name, table in metadata.tables.items()
            if name not in CHANGING
        }


def changed(**changes: Any) -> dict[str, Any]:
    return {**DEFINITION, **changes}


def payload(**fields: Any) -> dict[str, Any]:
    return changed(payload=fields)


def crunch(operation: str, **parameters: Any) -> dict[str, Any]:
    return payload(type="number_crunching", operation=operation, **parameters)


async def test_every_wrong_field_is_named(client: httpx2.AsyncClient) -> None:
    definition = changed(name="", priority=99, payload={"type": "python_code", "cod": "x"}, retry_policy={"jitter": 2})

    answer = await client.post("/api/v1/jobs", json=definition)

    expected = {"name", "priority", "payload.code", "payload.cod", "retry_policy.jitter"}
    assert set(fields_of(answer)) == expected


HINTS = {
    "field": (changed(tiemzone="UTC"), "did you mean timezone?"),
    "field of an object": (changed(limits={"memory": 512}), "did you mean memory_mb?"),
    "field of a payload": (payload(type="python_code", cde=CODE), "did you mean code?"),
    "field of an operation": (crunch("prime_numbers", limt=7), "did you mean limit?"),
    "field of another payload": (payload(type="program", argv=["ls"], code=CODE), "known: type, argv, stdin"),
    "kind of payload": (payload(type="pyton_code", code=CODE), "did you mean python_code?"),
    "operation": (crunch("fibonaci", n=10), "did you mean fibonacci?"),
    "word": (changed(overlap_policy="cancel_runing"), "did you mean cancel_running?"),
    "zone": (changed(timezone="europe/berlin"), "did you mean Europe/Berlin?"),
}


@pytest.mark.parametrize("case", HINTS)
async def test_error_suggests_a_known_name(client: httpx2.AsyncClient, case: str) -> None:
    definition, hint = HINTS[case]

    answer = await client.post("/api/v1/jobs", json=definition)

    assert any(hint in error["detail"] for error in answer.json()["errors"])


async def test_error_of_a_parameter_has_no_pointer_into_the_body(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs?dry_run=1", json=DEFINITION)

    assert ["pointer" in error for error in answer.json()["errors"]] == [False]


async def test_first_50_errors_are_listed_and_the_rest_counted(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs", json=changed(**{f"x{number}": 1 for number in range(200)}))

    assert len(answer.json()["errors"]) == 50
    assert answer.json()["detail"].endswith("; and 197 more")


async def test_error_suggests_a_known_query_parameter(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/jobs?pagee=1")

    assert answer.json()["errors"][0]["detail"] == "unknown query parameter; did you mean page?"


@pytest.mark.parametrize(
    ("definition", "pointer"),
    [
        (changed(retry_policy={"max_retries": -1}), "#/retry_policy/max_retries"),
        (changed(tags=["a", 1]), "#/tags/1"),
        (changed(env={"a/b~c": "x"}), "#/env/a~1b~0c"),
        (changed(schedule_expr="0s"), "#/schedule_expr"),
        ([], "#"),
    ],
)
async def test_pointer_leads_to_the_place_in_the_body(
    client: httpx2.AsyncClient, definition: Any, pointer: str
) -> None:
    answer = await client.post("/api/v1/jobs", json=definition)

    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_values_in_errors_are_cut_to_100_characters(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs", json=changed(name="x" * 10_000))

    assert answer.json()["errors"][0]["value"] == "x" * 100 + "…"


@pytest.mark.parametrize("definition", [changed(env={"A": 12345}), changed(args={"x": 1}, api_token=12345)])
async def test_errors_never_show_values_that_may_be_secret(
    client: httpx2.AsyncClient, definition: dict[str, Any]
) -> None:
    answer = await client.post("/api/v1/jobs", json=definition)

    assert answer.status_code == 422
    assert "12345" not in answer.text


def fields_of(answer: httpx2.Response) -> list[str]:
    """Check that an answer is a problem document for bad input, and return the fields that it names."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(answer.content.decode("utf-8"))
    assert problem["status"] == 422
    for error in problem["errors"]:
        assert error["detail"]
        assert len(json.dumps(error)) < 2000
    return [error["field"] for error in problem["errors"]]
