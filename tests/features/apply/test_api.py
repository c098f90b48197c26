"""Sets of documents over HTTP, on each database."""

from __future__ import annotations

from typing import Any

import httpx2
import jsonschema_rs
from fastapi import FastAPI
from tests.api.conftest import SHARED, app, client, client_of, shared_database_url
from tests.features.apply.test_service import document

pytestmark = SHARED

__all__ = ["app", "client", "shared_database_url"]

APPLY = "/api/v1/jobs/apply"


async def applied(client: httpx2.AsyncClient, *documents: dict[str, Any], **options: Any) -> dict[str, Any]:
    answer = await client.post(APPLY, json={"documents": documents, **options})
    assert answer.status_code == 200, answer.text
    plan: dict[str, Any] = answer.json()
    return plan


async def test_dry_run_apply_and_second_apply(client: httpx2.AsyncClient) -> None:
    wanted = document("three-steps", tags=["three-steps"])
    planned = await applied(client, wanted, dry_run=True)
    done = await applied(client, wanted, plan_id=planned["plan_id"])
    again = await applied(client, wanted)
    assert [(plan["applied"], plan["create"], plan["unchanged"]) for plan in (planned, done, again)] == [
        (False, 1, 0),
        (True, 1, 0),
        (True, 0, 1),
    ]
    assert (await client.get(f"/api/v1/jobs/{done['items'][0]['job_id']}")).json()["external_key"] == "three-steps"
    assert (await client.get("/api/v1/jobs/export?tag=three-steps")).json() == {
        "documents": [{**wanted, "external_key": "three-steps"}]
    }


async def test_stale_plan_id_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post(APPLY, json={"documents": [document("stale")], "plan_id": "another"})
    assert (answer.status_code, "make a new plan" in answer.json()["detail"]) == (412, True)


async def test_errors_point_into_each_document(client: httpx2.AsyncClient) -> None:
    wrong = [document("a"), document("b", priority=99, cron="@daily"), document("c", secrets={"A": "missing"})]
    answer = await client.post(APPLY, json={"documents": wrong})
    errors = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    assert answer.status_code == 422
    assert errors.keys() == {
        "#/documents/1/priority",
        "#/documents/1/cron",
        "#/documents/2/secrets/A",
    }
    assert "did you mean schedule_expr?" in errors["#/documents/1/cron"]


async def test_prune_without_a_selection_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post(APPLY, json={"documents": [document("a")], "prune": {}})
    assert "would select every job; name a tag or an owner_id" in answer.json()["detail"]


async def test_large_sets_have_a_limit_of_their_own(client: httpx2.AsyncClient) -> None:
    script = {"type": "shell_script", "script": "x" * 200_000}
    large = [document(f"large-{number}", payload=script) for number in range(7)]
    assert (await applied(client, *large, dry_run=True))["create"] == 7
    answer = await client.post(APPLY, content=b"x" * (16384 * 1024 + 1), headers={"Content-Type": "application/json"})
    assert (answer.status_code, "SCHEDULER_MAX_APPLY_KB" in answer.json()["detail"]) == (413, True)


async def test_schema_for_editors_needs_no_key(app: FastAPI) -> None:
    async with client_of(app, headers={}) as stranger:
        answer = await stranger.get("/api/v1/schemas/job.json")
    schema = jsonschema_rs.validator_for(answer.json())
    with_file = document("a", payload={"type": "python_code", "code_file": "a.py"})
    assert schema.is_valid(document("a"))
    assert schema.is_valid([document("a"), with_file])
    assert not schema.is_valid(document("a", payload={"type": "python_code", "code": "1", "code_file": "a.py"}))
    assert not schema.is_valid(document("a", prioritty=1))
    assert schema.is_valid(document("a", after=[{"external_key": "b"}, {"job": 1, "on": "end"}]))
    assert not schema.is_valid(document("a", after=[{"external_key": "b", "job": 1}]))
