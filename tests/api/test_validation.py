"""Validation of jobs over HTTP: the answers of POST and PUT, and nothing is stored."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.api.conftest import DEFINITION, SHARED, create

pytestmark = SHARED

VALIDATE = "/api/v1/jobs/validate"
NAMES_UNKNOWN = {"calendars": ["plant-closed", "-no-such"], "secrets": {"PGPASSWORD": "pw", "./db.pem": "pem"}}
UNKNOWN_FIELDS = {"calendars.0", "calendars.1", "secrets.PGPASSWORD", "secrets"}


def fields_of(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {error["field"] for error in answer.json()["errors"]}


async def test_new_job_is_described_and_not_stored(client: httpx2.AsyncClient) -> None:
    before = (await client.get("/api/v1/jobs")).json()["total"]

    answer = await client.post(VALIDATE, json={**DEFINITION, "schedule_expr": "*/7 * * * *"})

    assert answer.status_code == 200, answer.text
    validated = answer.json()
    assert validated["description"].startswith("Every 7 minutes")
    assert (len(validated["instants"]), len(validated["warnings"])) == (10, 1)
    assert (validated["changes"], validated["instants_now"], validated["fires_moved"]) == ([], [], False)
    assert (await client.get("/api/v1/jobs")).json()["total"] == before


async def test_edit_shows_changes_and_moved_instants(client: httpx2.AsyncClient) -> None:
    job = await create(client, schedule_expr="0 6 * * *", env={"TOKEN": "correct horse"})
    document = {**job, "schedule_expr": "0 7 * * *", "env": {"TOKEN": "battery staple"}}

    validated = (await client.post(VALIDATE, params={"job_id": job["id"]}, json=document)).json()

    assert validated["changes"] == [
        {"field": "schedule_expr", "before": "0 6 * * *", "after": "0 7 * * *"},
        {"field": "env", "before": {"TOKEN": "***"}, "after": {"TOKEN": "***"}},
    ]
    assert validated["fires_moved"]
    assert [validated[name][0]["at"][11:] for name in ("instants_now", "instants")] == ["06:00:00Z", "07:00:00Z"]
    assert (await client.get(f"/api/v1/jobs/{job['id']}")).json() == job


async def test_job_sent_back_as_it_is_changes_nothing(client: httpx2.AsyncClient) -> None:
    job = await create(client, schedule_expr="0 6 * * *")
    validated = (await client.post(VALIDATE, params={"job_id": job["id"]}, json=job)).json()
    assert (validated["changes"], validated["fires_moved"]) == ([], False)
    paused = (await client.post(VALIDATE, params={"job_id": job["id"]}, json={**job, "enabled": False})).json()
    assert (paused["instants"], paused["fires_moved"]) == ([], True)


@pytest.mark.parametrize("method", ["validate", "POST", "PUT", "PATCH"])
async def test_unknown_names_are_told_with_every_other_error(client: httpx2.AsyncClient, method: str) -> None:
    wrong: dict[str, Any] = {"priority": 99, "timezone": "Mars/X", **NAMES_UNKNOWN}
    url = VALIDATE if method == "validate" else "/api/v1/jobs"
    if method in {"PUT", "PATCH"}:
        url += f"/{(await create(client))['id']}"

    answer = await client.request("POST" if method == "validate" else method, url, json={**DEFINITION, **wrong})

    assert fields_of(answer) == {"priority", "timezone", *UNKNOWN_FIELDS}


async def test_job_that_does_not_exist_is_not_found(client: httpx2.AsyncClient) -> None:
    answer = await client.post(VALIDATE, params={"job_id": 4711}, json=DEFINITION)
    assert answer.status_code == 404


async def test_unknown_upstream_jobs_are_told_with_other_errors(client: httpx2.AsyncClient) -> None:
    wrong = {"priority": 99, "after": [{"job": 4711}, {"job": 4712}]}
    answer = await client.post(VALIDATE, json={**DEFINITION, **wrong})
    assert fields_of(answer) == {"priority", "after.0.job", "after.1.job"}
