"""Secrets over HTTP: written, named, and never read back."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from tests.api.conftest import DEFINITION, SHARED, client_of, serving, settings_for

pytestmark = SHARED

VALUE = "correct horse battery"
URL = "/api/v1/secrets"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    key = base64.b64encode(bytes(32)).decode()
    async with serving(settings_for(shared_database_url, tmp_path_factory.mktemp("data"), secrets_key=key)) as app:
        yield app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bob(app: FastAPI, client: httpx2.AsyncClient) -> AsyncIterator[httpx2.AsyncClient]:
    key = (await client.post("/api/v1/keys", json={"owner_id": "bob"})).json()["key"]
    async with client_of(app, headers={"X-API-Key": key}) as of_bob:
        yield of_bob


async def test_secret_is_created_replaced_shown_and_deleted(client: httpx2.AsyncClient) -> None:
    created = await client.put(f"{URL}/db", json={"value": VALUE})
    replaced = await client.put(f"{URL}/db", json={"value": VALUE + "!"})
    shown = await client.get(f"{URL}/db")
    listed = await client.get(URL)

    assert (created.status_code, created.headers["Location"]) == (201, f"{URL}/db")
    assert (replaced.status_code, replaced.content) == (204, b"")
    assert set(shown.json()) == {"name", "owner_id", "key_id", "created_at", "updated_at", "last_used_at"}
    assert listed.json()["secrets"] == [shown.json()]
    assert all(VALUE not in answer.text for answer in (created, shown, listed))
    assert (await client.delete(f"{URL}/db")).status_code == 204
    assert (await client.get(f"{URL}/db")).status_code == 404


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("db", {"value": "short"}, "value"),
        ("db", {"value": "  short  "}, "value"),
        ("db", {"value": "x" * 65_537}, "value"),
        ("db", {"value": "ü" * 40_000}, "value"),
        ("db", {"value": "with a \0 NUL"}, "value"),
        ("db", {"value": 12345678}, "value"),
        ("db", {}, "value"),
        ("db", {"value": VALUE, "valu": ""}, "valu"),
        ("1db", {"value": VALUE}, "name"),
        ("a.b", {"value": VALUE}, "name"),
        ("x" * 65, {"value": VALUE}, "name"),
    ],
)
async def test_mistake_is_named(client: httpx2.AsyncClient, name: str, body: dict[str, Any], field: str) -> None:
    answer = await client.put(f"{URL}/{name}", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_refusal_does_not_show_the_value(client: httpx2.AsyncClient) -> None:
    for body in (
        {"value": "tiny"},
        {"value": "x" * 65_537 + "tiny"},
        {"value": "with tiny \0"},
        {"value": ["tiny"]},
        {"valu": "tiny"},
        "tiny",
    ):
        assert "tiny" not in (await client.put(f"{URL}/db", json=body)).text


async def test_owners_do_not_see_the_secrets_of_others(client: httpx2.AsyncClient, bob: httpx2.AsyncClient) -> None:
    await client.put(f"{URL}/mine?owner_id=ann", json={"value": VALUE})

    assert (await bob.get(URL)).json() == {"secrets": []}
    assert (await bob.get(f"{URL}/mine")).status_code == 404
    assert (await bob.delete(f"{URL}/mine")).status_code == 404
    assert (await bob.get(f"{URL}/mine?owner_id=ann")).status_code == 422
    assert (await bob.post(f"{URL}/rotate-key")).status_code == 403
    refused = await bob.post("/api/v1/jobs", json={**DEFINITION, "secrets": {"A": "mine"}})
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/secrets/A"]
    assert (await client.get(f"{URL}/mine?owner_id=ann")).status_code == 200


async def test_rotation_answers_with_the_key(client: httpx2.AsyncClient) -> None:
    answer = await client.post(f"{URL}/rotate-key")
    assert answer.status_code == 200
    assert answer.json()["reencrypted"] == 0


async def test_answer_without_a_key_names_the_remedy(
    shared_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with (
        serving(settings_for(shared_database_url, tmp_path_factory.mktemp("data"))) as app,
        client_of(app) as own,
    ):
        refused = await own.put(f"{URL}/db", json={"value": VALUE})
    assert refused.status_code == 409
    assert "set SCHEDULER_SECRETS_KEY" in refused.json()["detail"]
