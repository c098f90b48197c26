"""Changes of many jobs and runs over HTTP."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.api.conftest import SHARED, create

pytestmark = SHARED


async def change(client: httpx2.AsyncClient, what: str, **request: Any) -> httpx2.Response:
    return await client.post(f"/api/v1/{what}/bulk", json=request)


async def test_each_job_of_a_filter_has_its_result(client: httpx2.AsyncClient) -> None:
    first, second = [await create(client, tags=["bulk"], schedule_expr="@daily") for _ in range(2)]
    last = await create(client, tags=["bulk"])
    selected = {"filter": {"tag": "bulk"}}

    planned = (await change(client, "jobs", action="pause", dry_run=True, **selected)).json()
    assert (planned["count"], planned["done"]) == (3, 0)
    assert (await client.get(f"/api/v1/jobs/{first['id']}")).json()["status"] == "active"

    stale = await change(client, "jobs", action="pause", expected_count=2, **selected)
    assert (stale.status_code, stale.json()["detail"][:49]) == (
        409,
        "the request means 3 objects, not 2; nothing was c",
    )

    done = (await change(client, "jobs", action="pause", expected_count=3, **selected)).json()
    assert [item["outcome"] for item in done["results"]] == ["done"] * 3

    soon = {"filter": {"tag": "bulk", "due_before": "2000-01-01T00:00:00Z"}}
    assert (await change(client, "jobs", action="pause", dry_run=True, **soon)).json()["count"] == 0

    untagged = await change(client, "jobs", action="untag", ids=[first["id"], 4711], tags=["bulk"])
    assert [item["outcome"] for item in untagged.json()["results"]] == ["done", "not_found"]
    await change(client, "jobs", action="tag", ids=[second["id"]], tags=["bulk", "new"])
    tags = [(await client.get(f"/api/v1/jobs/{job['id']}")).json()["tags"] for job in (first, second, last)]
    assert tags == [[], ["bulk", "new"], ["bulk"]]

    audit = (await client.get("/api/v1/audit", params={"object": f"jobs/{second['id']}"})).json()["entries"]
    assert [entry["operation"] for entry in audit] == ["tagJob", "pauseJob", "createJob"]


async def test_runs_of_many_jobs_are_started_and_cancelled(client: httpx2.AsyncClient) -> None:
    script = {"type": "shell_script", "script": "sleep 600"}
    job = await create(client, payload=script, tags=["long"])

    started = (await change(client, "jobs", action="run", ids=[job["id"]])).json()
    run_id = started["results"][0]["run_id"]
    refused = (await change(client, "jobs", action="run", ids=[job["id"]])).json()
    assert [item["outcome"] for item in refused["results"]] == ["refused"]
    assert "the overlap_policy is skip" in refused["results"][0]["message"]

    active = {"job_id": job["id"], "status": ["queued", "running"]}
    cancelled = (await change(client, "runs", action="cancel", filter=active)).json()
    assert [(item["id"], item["outcome"]) for item in cancelled["results"]] == [(run_id, "done")]
    deleted = (await change(client, "jobs", action="delete", ids=[job["id"]])).json()
    assert deleted["done"] == 1


@pytest.mark.parametrize(
    ("request_body", "fields"),
    [
        ({"action": "stop", "ids": [0], "dry": True}, {"action", "ids.0", "dry"}),
        ({"action": "pause"}, {"body"}),
        ({"action": "pause", "ids": [1], "filter": {}}, {"body"}),
        ({"action": "tag", "ids": [1]}, {"body"}),
        ({"action": "pause", "ids": [1], "tags": ["a"]}, {"tags"}),
    ],
)
async def test_wrong_request_is_refused(
    client: httpx2.AsyncClient, request_body: dict[str, Any], fields: set[str]
) -> None:
    answer = await change(client, "jobs", **request_body)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == fields
