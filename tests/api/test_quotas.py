"""Quotas of owners over HTTP: set by administrators, shown to owners, and enforced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from tests.api.conftest import DEFINITION, SHARED, client_of

from scheduler_service.storage import stored_bytes
from scheduler_service.storage.database import Database

pytestmark = SHARED

ON_DEMAND = {**DEFINITION, "schedule_expr": None, "overlap_policy": "allow"}


async def key_of(client: httpx2.AsyncClient, owner_id: str) -> dict[str, str]:
    created = await client.post("/api/v1/keys", json={"owner_id": owner_id})
    return {"X-API-Key": created.json()["key"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bob(app: FastAPI, client: httpx2.AsyncClient) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app, headers=await key_of(client, "bob")) as of_bob:
        yield of_bob


async def give(client: httpx2.AsyncClient, owner_id: str, **quotas: int | None) -> dict[str, Any]:
    answer = await client.put(f"/api/v1/owners/{owner_id}/quotas", json=quotas)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def create(client: httpx2.AsyncClient, owner_id: str, **changes: Any) -> httpx2.Response:
    return await client.post("/api/v1/jobs", json={**ON_DEMAND, "owner_id": owner_id, **changes})


async def test_owner_sees_what_it_uses_and_may_use(client: httpx2.AsyncClient, bob: httpx2.AsyncClient) -> None:
    shown = await give(client, "bob", jobs=3, weight=2)
    await bob.post("/api/v1/jobs", json=ON_DEMAND)

    own = (await bob.get("/api/v1/quotas")).json()
    assert own["quotas"]["jobs"] == {"used": 1, "allowed": 3}
    assert own["quotas"]["concurrent_runs"]["allowed"] is None
    assert (own["owner_id"], own["weight"]) == ("bob", 2)
    assert own == {**shown, "quotas": own["quotas"]}
    assert (await bob.get("/api/v1/owners/bob/quotas")).json() == own
    assert "bob" in {each["owner_id"] for each in (await client.get("/api/v1/owners")).json()["owners"]}


async def test_owner_with_a_slash_is_reached(client: httpx2.AsyncClient) -> None:
    path = "/api/v1/owners/team%2Fnight%3F/quotas"
    assert (await client.put(path, json={"jobs": 7})).json()["owner_id"] == "team/night?"
    assert (await client.get(path)).json()["own"]["jobs"] == 7
    assert (await client.delete(path)).status_code == 204


async def test_only_an_administrator_sets_quotas(client: httpx2.AsyncClient, bob: httpx2.AsyncClient) -> None:
    await give(client, "ann", jobs=5)
    assert (await bob.get("/api/v1/owners/ann/quotas")).status_code == 404
    for owner_id in ("ann", "bob"):
        assert (await bob.put(f"/api/v1/owners/{owner_id}/quotas", json={"jobs": 0})).status_code == 403
        assert (await bob.delete(f"/api/v1/owners/{owner_id}/quotas")).status_code == 403
    assert (await bob.get("/api/v1/owners")).status_code == 403


async def test_changes_of_quotas_are_audited(client: httpx2.AsyncClient) -> None:
    await give(client, "carol", jobs=5)
    await give(client, "carol", jobs=6)
    assert (await client.delete("/api/v1/owners/carol/quotas")).status_code == 204
    assert (await client.delete("/api/v1/owners/carol/quotas")).status_code == 404

    entries = (await client.get("/api/v1/audit", params={"owner_id": "carol"})).json()["entries"]
    operations = [entry["operation"] for entry in entries if entry["object"] == "owners/carol/quotas"]
    assert operations == ["unsetQuotas", "setQuotas", "setQuotas"]


async def test_job_above_the_quota_is_refused(client: httpx2.AsyncClient) -> None:
    await give(client, "dan", jobs=1)
    assert (await create(client, "dan")).status_code == 201
    refused = await create(client, "dan")
    validated = await client.post("/api/v1/jobs/validate", json={**ON_DEMAND, "owner_id": "dan"})
    elsewhere = (await create(client, "erin")).json()
    moved = await client.patch(f"/api/v1/jobs/{elsewhere['id']}", json={"owner_id": "dan"})

    for answer in (refused, validated, moved):
        assert answer.status_code == 403
        problem = answer.json()
        assert (problem["quota"], problem["used"], problem["allowed"]) == ("jobs", 1, 1)
    await give(client, "dan", jobs=0)
    assert (await create(client, "dan")).status_code == 201


async def test_two_jobs_at_once_do_not_both_pass(client: httpx2.AsyncClient) -> None:
    await give(client, "frank", jobs=1)
    answers = await asyncio.gather(*(create(client, "frank") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403]


@pytest.mark.parametrize(
    ("expression", "status"),
    [("30s", 403), ("* * * * *", 201), ("0 * * * *", 201), ("*/30 * * * * *", 403), ("0,1 9 * * *", 201)],
)
async def test_schedule_may_not_be_more_frequent_than_the_quota(
    client: httpx2.AsyncClient, expression: str, status: int
) -> None:
    await give(client, "gina", min_interval_seconds=60)
    answer = await create(client, "gina", schedule_expr=expression, enabled=False)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert (answer.json()["used"], answer.json()["allowed"]) == (30, 60)


async def test_edited_schedule_keeps_to_the_quota(client: httpx2.AsyncClient) -> None:
    await give(client, "hugo", min_interval_seconds=3600)
    job = (await create(client, "hugo", schedule_expr="@hourly")).json()
    url = f"/api/v1/jobs/{job['id']}"

    assert (await client.patch(url, json={"schedule_expr": "5m"})).status_code == 403
    assert (await client.patch(url, json={"name": "another name"})).status_code == 200


async def test_runs_above_the_quota_of_a_minute_wait(client: httpx2.AsyncClient) -> None:
    job = (await create(client, "ivan")).json()
    url = f"/api/v1/jobs/{job['id']}"
    await give(client, "ivan", runs_per_minute=2)
    answers = [await client.post(f"{url}/run") for _ in range(6)]  # of two minutes at most

    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers].count(202) in {2, 4}
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 60
    assert (refused[0].json()["quota"], refused[0].json()["allowed"]) == ("runs_per_minute", 2)


async def test_other_requests_for_runs_are_counted(client: httpx2.AsyncClient) -> None:
    job = (await create(client, "judy", schedule_expr="0 0 1 * *")).json()
    await give(client, "judy", runs_per_minute=1)
    window = {"from": "2025-01-01T00:00:00Z", "to": "2025-12-01T00:00:00Z", "only": "all"}
    backfill = await client.post(f"/api/v1/jobs/{job['id']}/backfill", json=window)
    bulk = await client.post("/api/v1/jobs/bulk", json={"action": "run", "ids": [job["id"]]})
    tested = [await client.post("/api/v1/test-runs", json={**ON_DEMAND, "owner_id": "judy"}) for _ in range(2)]

    assert backfill.status_code == 429
    assert "lower max_runs" in backfill.json()["detail"]
    assert bulk.status_code == 200
    assert tested[-1].status_code == 429


async def test_explanation_names_the_quotas(client: httpx2.AsyncClient) -> None:
    job = (await create(client, "karl")).json()
    await give(client, "karl", concurrent_runs=4, runs_per_minute=1)
    await client.post(f"/api/v1/jobs/{job['id']}/run")

    blockers = (await client.get(f"/api/v1/jobs/{job['id']}/explain")).json()["blockers"]
    told = [blocker for blocker in blockers if blocker["code"] == "quota"]
    assert "its quota allows 4" in told[0]["sentence"]
    assert "its quota allows 1" in told[1]["sentence"]


async def test_runs_without_room_for_logs_are_refused(client: httpx2.AsyncClient, shared_database_url: str) -> None:
    job = (await create(client, "lena")).json()
    await give(client, "lena", stored_mb=2)
    database = Database(shared_database_url)
    async with database.write() as connection:
        await stored_bytes.replace(connection, {"lena": 5 * 2**20}, datetime.now(UTC))
    await database.close()
    run = await client.post(f"/api/v1/jobs/{job['id']}/run")
    tested = await client.post("/api/v1/test-runs", json={**ON_DEMAND, "owner_id": "lena"})

    for answer in (run, tested):
        assert answer.status_code == 403
        problem = answer.json()
        assert (problem["quota"], problem["used"], problem["allowed"]) == ("stored_mb", 5, 2)
    shown = (await client.get("/api/v1/owners/lena/quotas")).json()["quotas"]
    assert shown["stored_mb"] == {"used": 5, "allowed": 2}
    blockers = (await client.get(f"/api/v1/jobs/{job['id']}/explain")).json()["blockers"]
    (told,) = [blocker for blocker in blockers if blocker["code"] == "quota"]
    assert (told["met"], "take 5 MB" in told["sentence"]) == (False, True)
    assert "SCHEDULER_RETENTION_DAYS" in told["remedy"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"jobs": -1}, "jobs"),
        ({"jobs": "many"}, "jobs"),
        ({"jobs": 1.5}, "jobs"),
        ({"weight": 0}, "weight"),
        ({"weight": 101}, "weight"),
        ({"runs": 5}, "runs"),
        ({"min_interval_seconds": 86_401}, "min_interval_seconds"),
        ({"concurrent_runs": True}, "concurrent_runs"),
    ],
)
async def test_mistake_in_quotas_is_named(client: httpx2.AsyncClient, body: dict[str, Any], field: str) -> None:
    answer = await client.put("/api/v1/owners/nobody/quotas", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
