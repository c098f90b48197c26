"""The audit trail over HTTP: every operation that changes something leaves an entry, and no secret."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from testkit.waiting import eventually
from tests.api.conftest import DEFINITION, SHARED, client_of, serving, settings_for

pytestmark = SHARED

NOT_TRIED = {
    "previewSchedule",
    "simulateSchedule",
    "previewAlert",
    "validateJob",
    "relockJob",
    "changeJobs",
    "changeRuns",
}
"""The first four change nothing. `relockJob` needs a package index; it records as every change of a job does. The last
two record each object under the name of its action."""
HIDDEN = "hidden-in-every-entry"
ALERT = {
    "name": "a",
    "on": ["failure"],
    "channel": {"type": "webhook", "url": "http://127.0.0.1:9/x", "secret": HIDDEN},
}
LONG = {
    **DEFINITION,
    "owner_id": "ann",
    "payload": {"type": "shell_script", "script": "sleep 60"},
    "env": {"TOKEN": HIDDEN},
}
V1 = "/api/v1"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    key = base64.b64encode(bytes(32)).decode()
    async with serving(settings_for(shared_database_url, tmp_path_factory.mktemp("data"), secrets_key=key)) as app:
        yield app


async def entries(client: httpx2.AsyncClient, **filters: Any) -> list[dict[str, Any]]:
    answer = await client.get(f"{V1}/audit", params={"size": 100, **filters})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


async def send(client: httpx2.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    answer = await client.request(method, f"{V1}/{path}", json=body, headers=headers)
    assert answer.is_success, (method, path, answer.text)
    return answer.json() if answer.content else None


async def change_jobs_and_runs(client: httpx2.AsyncClient) -> None:
    job = f"jobs/{(await send(client, 'POST', 'jobs', LONG))['id']}"
    run = f"runs/{(await send(client, 'POST', f'{job}/run'))['id']}"
    await send(client, "POST", f"{run}/cancel")

    async def has_ended() -> bool:
        return bool((await send(client, "GET", run))["status"] == "cancelled")

    await eventually(has_ended)
    await send(client, "POST", f"{run}/retry")
    await send(client, "PUT", job, {**LONG, "name": "replaced"})
    await send(client, "PATCH", job, {"name": "patched", "env": {"TOKEN": HIDDEN * 2}})
    await send(client, "POST", f"{job}/pause")
    await send(client, "POST", f"{job}/resume")
    bulk = {"ids": [int(job.removeprefix("jobs/"))], "action": "tag", "tags": ["many"]}
    await send(client, "POST", "jobs/bulk", bulk)
    await send(client, "POST", f"{job}/versions/1/restore")
    await send(client, "POST", f"{job}/backfill", {"from": "2026-01-12T00:00:00Z", "to": "2026-01-12T02:00:00Z"})
    await send(client, "DELETE", job)


async def change_everything_else(client: httpx2.AsyncClient) -> None:
    await send(client, "POST", "test-runs", DEFINITION)
    await send(client, "POST", "jobs/apply", {"documents": [DEFINITION]})
    (worker,) = (await send(client, "GET", "workers"))["workers"]
    await send(client, "POST", f"workers/{worker['id']}/drain")
    alert = f"alerts/{(await send(client, 'POST', 'alerts', ALERT))['id']}"
    await send(client, "POST", f"{alert}/test")
    await send(client, "PUT", alert, {**ALERT, "name": "b"})
    await send(client, "PATCH", alert, {"name": "c"})
    await send(client, "DELETE", alert)
    key = f"keys/{(await send(client, 'POST', 'keys', {'owner_id': 'ann'}))['id']}"
    await send(client, "POST", f"{key}/rotate")
    await send(client, "DELETE", key)
    await send(client, "PUT", "secrets/db?owner_id=ann", {"value": HIDDEN})
    await send(client, "POST", "secrets/rotate-key")
    await send(client, "DELETE", "secrets/db?owner_id=ann")
    await send(client, "PUT", "owners/ann/quotas", {"jobs": 1000})
    await send(client, "DELETE", "owners/ann/quotas")
    await send(client, "PUT", "calendars/days", {"dates": ["2026-12-24"]})
    await send(client, "DELETE", "calendars/days")


def writing_operations(document: dict[str, Any]) -> Iterator[str]:
    for methods in document["paths"].values():
        yield from (operation["operationId"] for method, operation in methods.items() if method != "get")


async def test_every_writing_operation_leaves_an_entry_without_secrets(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    """Made from the OpenAPI document, so that a new operation cannot be forgotten."""
    await change_jobs_and_runs(client)
    await change_everything_else(client)

    found = await entries(client, outcome="done")

    assert {entry["operation"] for entry in found} - {"tagJob"} == set(writing_operations(app.openapi())) - NOT_TRIED
    assert {entry["key_id"] for entry in found} == {"API_KEY"}
    assert HIDDEN not in str(found)
    owned = {"patchJob", "runJob", "cancelRun", "retryRun", "deleteSecret"}
    assert owned <= {entry["operation"] for entry in await entries(client, owner_id="ann")}


async def test_entry_shows_the_change_and_the_request(client: httpx2.AsyncClient) -> None:
    job = (await send(client, "POST", "jobs", DEFINITION))["id"]
    body = {"name": "other"}
    headers = {"Content-Type": "application/merge-patch+json", "X-Request-ID": "of-this-change"}
    await client.patch(f"{V1}/jobs/{job}", json=body, headers=headers)

    (entry,) = await entries(client, object=f"jobs/{job}", operation="patchJob")

    assert entry["changes"] == {"name": {"before": "a job", "after": "other"}}
    assert entry["correlation_id"] == "of-this-change"
    assert entry["address"]


async def test_refused_attempts_leave_entries(app: FastAPI, client: httpx2.AsyncClient) -> None:
    created = await send(client, "POST", "keys", {"owner_id": "bob", "scopes": ["read"]})
    async with client_of(app, headers={"X-API-Key": "wrong"}) as nobody:
        assert (await nobody.post(f"{V1}/jobs", json=DEFINITION)).status_code == 401
    async with client_of(app, headers={"X-API-Key": created["key"]}) as bob:
        assert (await bob.post(f"{V1}/jobs", json=DEFINITION)).status_code == 403
        assert (await bob.get(f"{V1}/audit")).status_code == 403

    listing, forbidden, unauthorized = (await entries(client, outcome="refused"))[:3]

    assert (listing["operation"], listing["key_id"]) == ("listAuditEntries", created["id"])
    assert (forbidden["operation"], forbidden["key_id"]) == ("createJob", created["id"])
    assert forbidden["changes"] == {"status": 403}
    assert (unauthorized["operation"], unauthorized["key_id"]) == ("createJob", None)
    assert (unauthorized["object"], unauthorized["changes"]) == (f"{V1}/jobs", {"status": 401})


async def test_pages_follow_each_other_without_gaps(client: httpx2.AsyncClient) -> None:
    for _ in range(3):
        await send(client, "POST", "jobs", DEFINITION)
    whole = [entry["id"] for entry in await entries(client, operation="createJob")]
    seen, before = [], None
    while True:
        page = await send(client, "GET", "audit?operation=createJob&size=2" + (f"&before={before}" if before else ""))
        seen += [entry["id"] for entry in page["entries"]]
        if (before := page["next"]) is None:
            break
    assert seen == whole
    assert len(whole) >= 3
