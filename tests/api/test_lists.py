"""Lists come in pages, with links and filters."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, get_args

import httpx2
import pytest
import pytest_asyncio
from tests.api.conftest import ALONE, NEVER, SHARED, create, run_to_its_end

from scheduler_service.api.schemas.queries import JobSort
from scheduler_service.storage.job_lists import SORTS

pytestmark = SHARED


@pytest_asyncio.fixture(loop_scope="module")
async def client(client: httpx2.AsyncClient) -> AsyncIterator[httpx2.AsyncClient]:
    """Return a client of a service without jobs, because these tests count all jobs."""
    yield client
    for job in (await client.get("/api/v1/jobs?size=100")).json()["jobs"]:
        await client.delete(f"/api/v1/jobs/{job['id']}")


def links_of(answer: httpx2.Response) -> dict[str, str]:
    return {rel: target for target, rel in re.findall(r'<([^>]*)>; rel="(\w+)"', answer.headers["Link"])}


async def ids_by_links(client: httpx2.AsyncClient, path: str, items: str) -> list[list[int]]:
    """Walk through a list by its `next` links and return the ids on each page."""
    pages = []
    following: str | None = path
    while following is not None:
        answer = await client.get(following)
        pages.append([item["id"] for item in answer.json()[items]])
        following = links_of(answer).get("next")
    return pages


async def test_list_leaves_out_large_fields_and_names_them(client: httpx2.AsyncClient) -> None:
    long = "#" * 20_000
    payload = {"type": "python_code", "code": long}
    job = await create(client, payload=payload, env={"LONG": long}, args={"long": long}, files={"a": {"text": long}})

    (listed,) = (await client.get("/api/v1/jobs")).json()["jobs"]
    whole = (await client.get(f"/api/v1/jobs/{job['id']}")).json()
    refused = await client.put(f"/api/v1/jobs/{job['id']}", json=listed)

    assert listed["left_out"] == ["payload", "env", "args", "files"]
    assert [listed[name] for name in listed["left_out"]] == [{"type": "python_code"}, {}, {}, {}]
    assert (whole["left_out"], whole["payload"]["code"], whole["args"]) == ([], long, {"long": long})
    assert refused.status_code == 422
    assert "#/left_out" in {error["pointer"] for error in refused.json()["errors"]}


async def test_list_shows_small_fields_of_a_job(client: httpx2.AsyncClient) -> None:
    job = await create(client, env={"A": "é"}, args={"b": [1, None]})

    (listed,) = (await client.get("/api/v1/jobs")).json()["jobs"]

    assert listed == job | {"left_out": []}


EVERY_FIELD: dict[str, Any] = {
    "description": "é", "tags": ["a"], "timezone": "Europe/Berlin", "retry_policy": {"max_retries": 2},
    "owner_id": "ann", "enabled": False, "priority": 9, "timeout_seconds": 30, "limits": {"memory_mb": 64},
    "overlap_policy": "queue", "max_concurrency": 2, "misfire_policy": "fire_all", "misfire_grace_seconds": 1.5,
    "catchup_limit": 7, "dst": {"gap": "skip", "fold": "both"}, "start_at": "2098-01-01T00:00:00+02:00",
    "end_at": "2100-01-01T00:00:00.5Z", "jitter_seconds": 3, "env": {"A": "b"}, "args": {"x": [1.5, None, {"y": "é"}]},
    "files": {"a.txt": {"text": "t"}, "b": {"base64": "AAA="}},
    "payload": {"type": "http_request", "url": "https://example.org", "expect": {"status": 200}},
}  # fmt: skip


@pytest.mark.parametrize("schedule_expr", ["0 2 * * *", "5m", NEVER])
async def test_list_shows_a_job_as_it_is_shown_alone(client: httpx2.AsyncClient, schedule_expr: str) -> None:
    job = await create(client, **EVERY_FIELD, schedule_expr=schedule_expr)

    (listed,) = (await client.get("/api/v1/jobs")).json()["jobs"]

    assert list(listed.items()) == list((await client.get(f"/api/v1/jobs/{job['id']}")).json().items())


async def test_list_shows_a_run_as_it_is_shown_alone(client: httpx2.AsyncClient) -> None:
    job_id = await run_to_its_end(client, "echo hello; exit 3")

    (listed,) = (await client.get(f"/api/v1/runs?job_id={job_id}")).json()["runs"]
    whole = (await client.get(f"/api/v1/runs/{listed['id']}")).json()

    assert whole.pop("attempts")
    assert list(listed.items()) == list(whole.items())


async def test_jobs_are_listed_page_by_page(client: httpx2.AsyncClient) -> None:
    ids = [(await create(client))["id"] for _ in range(5)]

    answer = await client.get("/api/v1/jobs?page=2&size=2")

    page = answer.json()
    assert ([job["id"] for job in page.pop("jobs")], page) == (ids[2:4], {"total": 5, "page": 2, "size": 2})
    links = links_of(answer)
    assert re.fullmatch(r"/api/v1/jobs\?page=3&cursor=[\w-]+&size=2", links.pop("next"))
    assert links == {
        "first": "/api/v1/jobs?page=1&size=2",
        "prev": "/api/v1/jobs?page=1&size=2",
        "last": "/api/v1/jobs?page=3&size=2",
    }


async def test_next_links_lead_through_all_jobs(client: httpx2.AsyncClient) -> None:
    ids = [(await create(client, tags=["a&b"]))["id"] for _ in range(5)]
    await create(client, tags=["c"])

    pages = await ids_by_links(client, "/api/v1/jobs?size=2&tag=a%26b&sort=-id", "jobs")

    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


async def test_next_links_repeat_no_run_when_new_runs_arrive(client: httpx2.AsyncClient) -> None:
    job = await create(client, payload={"type": "program", "argv": ["true"]}, overlap_policy="allow")
    ids = [(await client.post(f"/api/v1/jobs/{job['id']}/run")).json()["id"] for _ in range(5)]
    path = f"/api/v1/jobs/{job['id']}/runs?size=2"

    first = await client.get(path)
    await client.post(f"/api/v1/jobs/{job['id']}/run")
    rest = await ids_by_links(client, links_of(first)["next"], "runs")

    assert [run["id"] for run in first.json()["runs"]] == [ids[4], ids[3]]
    assert rest[:2] == [[ids[2], ids[1]], [ids[0]]]


async def test_page_behind_the_end_is_empty_and_links_back(client: httpx2.AsyncClient) -> None:
    await create(client)

    answer = await client.get("/api/v1/jobs?page=7")

    assert (answer.json()["jobs"], answer.json()["total"]) == ([], 1)
    assert links_of(answer) == {
        "first": "/api/v1/jobs?page=1&size=10",
        "prev": "/api/v1/jobs?page=1&size=10",
        "last": "/api/v1/jobs?page=1&size=10",
    }


async def test_list_has_ten_items_when_no_size_is_given(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/api/v1/jobs")).json()

    assert page == {"jobs": [], "total": 0, "page": 1, "size": 10}


JOBS: list[dict[str, Any]] = [
    {"name": "Alpha", "owner_id": "one", "tags": ["night"], "priority": 1},
    {"name": "Beta", "owner_id": "one", "tags": ["night", "heavy"], "enabled": False, "priority": 9},
    {"name": "Gamma", "owner_id": "two", "description": "100% of alpha", "schedule_expr": "2098-01-01T00:00:00Z"},
]


FOUND: dict[str, list[str]] = {
    "owner_id=one": ["Alpha", "Beta"],
    "status=paused": ["Beta"],
    "status=finished": [],
    "tag=night": ["Alpha", "Beta"],
    "tag=nigh": [],
    "name=Alpha": ["Alpha"],
    "name=alpha": [],
    "name=Beta&tag=night&sort=-name": ["Beta"],
    "name=Gamma&sort=next_run_at": ["Gamma"],
    "q=alpha": ["Alpha", "Gamma"],
    "q=%25": ["Gamma"],
    "owner_id=one&tag=heavy&status=paused&q=bet": ["Beta"],
    "sort=-name": ["Gamma", "Beta", "Alpha"],
    "sort=priority": ["Alpha", "Gamma", "Beta"],
    "sort=next_run_at": ["Gamma", "Alpha", "Beta"],
    "type=shell_script": ["Alpha", "Beta", "Gamma"],
    "type=program": [],
    "last_status=success": [],
    "due_before=2098-06-01T00:00:00Z": ["Gamma"],
    "due_since=2098-06-01T00:00:00Z": ["Alpha"],
    "due_since=2098-01-01T00:00:00Z&due_before=2098-06-01T00:00:00Z&sort=next_run_at": ["Gamma"],
    "due_since=2098-01-01T00:00:00Z&sort=-next_run_at": ["Alpha", "Gamma"],
    "due_before=2100-01-01T00:00:00Z&sort=-next_run_at": ["Alpha", "Gamma"],
    "due_before=2100-01-01T00:00:00Z&sort=-name&type=shell_script": ["Gamma", "Alpha"],
    "status=paused&sort=next_run_at": ["Beta"],
}


async def test_jobs_are_filtered_and_sorted(client: httpx2.AsyncClient) -> None:
    for job in JOBS:
        await create(client, **{"schedule_expr": NEVER, **job})

    answers = {query: (await client.get(f"/api/v1/jobs?{query}")).json()["jobs"] for query in FOUND}

    assert {query: [job["name"] for job in jobs] for query, jobs in answers.items()} == FOUND


async def test_every_order_of_storage_can_be_requested() -> None:
    assert set(get_args(JobSort)) == {sign + name for name in SORTS for sign in ("", "-")}


@ALONE
async def test_runs_are_filtered_by_time_and_status(own_client: httpx2.AsyncClient) -> None:
    job = await create(own_client, payload={"type": "program", "argv": ["true"]})
    run = (await own_client.post(f"/api/v1/jobs/{job['id']}/run")).json()
    instant = run["scheduled_for"]

    async def found(query: str) -> list[int]:
        return [row["id"] for row in (await own_client.get(f"/api/v1/runs?{query}")).json()["runs"]]

    assert await found(f"since={instant}") == [run["id"]]
    assert await found(f"until={instant}") == []
    assert await found(f"since=2020-01-01T00:00:00Z&until={NEVER}") == [run["id"]]
    assert await found("status=missed") == []
    assert await found("status=missed,queued,running,failed,success") == [run["id"]]
    assert await found(f"status=missed&status=skipped&since={instant}") == []
    assert await found("reason=overlap") == []
    assert await found("late=true") == []
    assert await found("late=false") == [run["id"]]
    refused = await own_client.get("/api/v1/runs?status=missed,lost")
    assert (refused.status_code, "lost" in refused.text) == (422, True)


@ALONE
async def test_runs_are_filtered_by_job_and_owner(own_client: httpx2.AsyncClient) -> None:
    jobs = [
        await create(own_client, owner_id=of, tags=[of], payload={"type": "program", "argv": ["false"]}) for of in "ab"
    ]
    first, second = [(await own_client.post(f"/api/v1/jobs/{job['id']}/run")).json()["id"] for job in jobs]

    async def found(query: str) -> list[int]:
        answer = await own_client.get(f"/api/v1/runs?{query}")
        assert answer.status_code == 200
        return [row["id"] for row in answer.json()["runs"]]

    assert await found(f"job_id={jobs[0]['id']}") == [first]
    assert await found("job_id=4711") == []
    assert await found("owner_id=b") == [second]
    assert await found("tag=a") == [first]
    assert await found("tag=a&owner_id=b") == []
    assert await found(f"owner_id=b&job_id={jobs[0]['id']}") == []
    assert await found("trigger=manual") == [second, first]
    assert await found("trigger=schedule") == []
    assert (await own_client.get("/api/v1/runs?job_id=0")).status_code == 422
    assert (await own_client.get("/api/v1/runs?trigger=hand")).status_code == 422
    of_job = await own_client.get(f"/api/v1/jobs/{jobs[1]['id']}/runs?trigger=manual")
    assert [row["id"] for row in of_job.json()["runs"]] == [second]
    assert (await own_client.get(f"/api/v1/jobs/{jobs[1]['id']}/runs?owner_id=b")).status_code == 422
