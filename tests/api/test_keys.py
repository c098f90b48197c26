"""Keys over HTTP, and what the holder of one owner's key sees of another's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from tests.api.conftest import DEFINITION, SHARED, client_of

pytestmark = SHARED


async def key_of(client: httpx2.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/keys", json=fields)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(app: FastAPI, client: httpx2.AsyncClient) -> AsyncIterator[httpx2.AsyncClient]:
    key = (await key_of(client, owner_id="ann"))["key"]
    async with client_of(app, headers={"X-API-Key": key}) as of_ann:
        yield of_ann


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bob(app: FastAPI, client: httpx2.AsyncClient) -> AsyncIterator[httpx2.AsyncClient]:
    key = (await key_of(client, owner_id="bob"))["key"]
    async with client_of(app, headers={"X-API-Key": key}) as of_bob:
        yield of_bob


async def test_key_is_shown_once(client: httpx2.AsyncClient) -> None:
    created = await key_of(client, owner_id="ann", name="reports", scopes=["read"])
    shown = (await client.get(f"/api/v1/keys/{created['id']}")).json()
    assert created["key"].startswith(f"sk_{created['id']}_")
    assert "key" not in shown
    assert (shown["owner_id"], shown["name"], shown["scopes"], shown["status"]) == (
        "ann",
        "reports",
        ["read"],
        "active",
    )
    assert created["key"] not in (await client.get("/api/v1/keys")).text


async def test_revoked_key_is_refused(app: FastAPI, client: httpx2.AsyncClient) -> None:
    created = await key_of(client, owner_id="ann")
    async with client_of(app, headers={"X-API-Key": created["key"]}) as holder:
        assert (await holder.get("/api/v1/jobs")).status_code == 200
        assert (await client.delete(f"/api/v1/keys/{created['id']}")).status_code == 204
        refused = await holder.get("/api/v1/jobs")
    assert refused.status_code == 401
    assert (await client.get(f"/api/v1/keys/{created['id']}")).json()["status"] == "revoked"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, ""),
        ({"owner_id": ""}, "/owner_id"),
        ({"owner_id": "ann", "scopes": []}, "/scopes"),
        ({"owner_id": "ann", "scopes": ["reed"]}, "/scopes/0"),
        ({"owner_id": "ann", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"owner_id": "ann", "scope": ["read"]}, "/scope"),
    ],
)
async def test_mistake_in_a_key_is_named(client: httpx2.AsyncClient, fields: dict[str, Any], pointer: str) -> None:
    answer = await client.post("/api/v1/keys", json=fields)
    assert answer.status_code == 422
    assert [error["pointer"].removeprefix("#") for error in answer.json()["errors"]] == [pointer]


async def test_scope_that_a_key_lacks_is_named(app: FastAPI, client: httpx2.AsyncClient) -> None:
    key = (await key_of(client, owner_id="ann", scopes=["read"]))["key"]
    async with client_of(app, headers={"X-API-Key": key}) as reader:
        assert (await reader.get("/api/v1/jobs")).status_code == 200
        refused = await reader.post("/api/v1/jobs", json=DEFINITION)
    assert refused.status_code == 403
    assert "write" in refused.json()["detail"]


async def test_only_an_administrator_manages_keys(ann: httpx2.AsyncClient) -> None:
    assert (await ann.get("/api/v1/keys")).status_code == 403
    assert (await ann.post("/api/v1/keys", json={"owner_id": "ann", "scopes": ["admin"]})).status_code == 403


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, methods in document["paths"].items():
        for method in methods:
            yield method, path


async def test_no_operation_reaches_the_objects_of_another_owner(
    app: FastAPI, client: httpx2.AsyncClient, ann: httpx2.AsyncClient, bob: httpx2.AsyncClient
) -> None:
    """Made from the OpenAPI document, so that a new operation is tested, too: each one that names an object."""
    job = (await ann.post("/api/v1/jobs", json={**DEFINITION, "name": "secret job of ann"})).json()
    run = (await ann.post(f"/api/v1/jobs/{job['id']}/run")).json()
    alert = (
        await ann.post(
            "/api/v1/alerts",
            json={
                "name": "secret rule of ann",
                "on": ["failure"],
                "channel": {"type": "webhook", "url": "http://127.0.0.1:9/x"},
            },
        )
    ).json()
    ids = {"job_id": job["id"], "run_id": run["id"], "alert_id": alert["id"]}
    window = {"from": "2026-01-12T00:00:00Z", "to": "2026-01-13T00:00:00Z"}
    bodies = {"createJob": DEFINITION, "replaceJob": DEFINITION, "backfillJob": window}
    crossed = set()
    for method, path in _operations(app.openapi()):
        named = [name for name in ids if f"{{{name}}}" in path]
        if not named:
            continue
        url = path.format(**ids, name="x", version=1, n=1, number=1)
        operation = app.openapi()["paths"][path][method]["operationId"]
        body = bodies.get(operation, {}) if method in {"post", "put", "patch"} else None
        headers = {"Content-Type": "application/merge-patch+json"} if method == "patch" else {}
        query = {"q": "secret"} if path.endswith("/search") else {}
        answer = await bob.request(method, url, json=body, headers=headers, params=query)
        assert answer.status_code == 404, (method, path, answer.status_code, answer.text)
        assert "secret" not in answer.text
        crossed.add(operation)
    assert {"getJob", "deleteJob", "patchJob", "getRun", "cancelRun", "deleteAlert"} <= crossed


async def test_lists_hold_nothing_of_another_owner(ann: httpx2.AsyncClient, bob: httpx2.AsyncClient) -> None:
    await ann.post("/api/v1/jobs", json={**DEFINITION, "name": "secret job of ann"})
    for url in ("/api/v1/jobs", "/api/v1/jobs?q=secret", "/api/v1/jobs?owner_id=ann", "/api/v1/runs", "/api/v1/alerts"):
        answer = await bob.get(url)
        assert answer.status_code == 200
        assert "secret" not in answer.text
        assert answer.json().get("total", 0) == 0


async def test_job_of_a_key_belongs_to_its_owner(bob: httpx2.AsyncClient) -> None:
    assert (await bob.post("/api/v1/jobs", json=DEFINITION)).json()["owner_id"] == "bob"
    refused = await bob.post("/api/v1/jobs", json={**DEFINITION, "owner_id": "ann"})
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/owner_id"]
