"""Versions of jobs over HTTP."""

from __future__ import annotations

import httpx2
from tests.api.conftest import SHARED, create

pytestmark = SHARED


async def test_version_is_listed_shown_and_restored(client: httpx2.AsyncClient) -> None:
    job = await create(client, env={"TOKEN": "correct horse"})
    url = f"/api/v1/jobs/{job['id']}"
    await client.patch(url, json={"priority": 7})

    page = (await client.get(f"{url}/versions", params={"size": 1})).json()
    assert ([each["version"] for each in page["versions"]], page["next"]) == ([2], 2)
    rest = (await client.get(f"{url}/versions", params={"before": page["next"]})).json()
    assert ([each["version"] for each in rest["versions"]], rest["next"]) == ([1], None)
    shown = (await client.get(f"{url}/versions/2")).json()
    assert (shown["key_id"], shown["operation"]) == ("API_KEY", "patchJob")
    assert shown["changes"] == {"priority": {"before": 5, "after": 7}}

    stale = await client.post(f"{url}/versions/1/restore", headers={"If-Match": '"1"'})
    restored = await client.post(f"{url}/versions/1/restore", headers={"If-Match": '"2"'})
    assert (stale.status_code, restored.status_code, restored.headers["ETag"][:3]) == (412, 200, '"3-')
    assert (restored.json()["priority"], restored.json()["env"]) == (5, {"TOKEN": "correct horse"})


async def test_version_that_does_not_exist_is_named(client: httpx2.AsyncClient) -> None:
    job = await create(client)
    answer = await client.get(f"/api/v1/jobs/{job['id']}/versions/2")
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"version 2 of job {job['id']} does not exist, or is not kept any more"
