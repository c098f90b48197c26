"""Cursors, counts and searches of lists."""

from __future__ import annotations

import base64
import json

import httpx2
import pytest
from tests.api.conftest import SHARED, create, run_to_its_end
from tests.api.test_lists import client, ids_by_links, links_of

from scheduler_service.storage import job_lists, runs_of_jobs
from scheduler_service.storage.job_lists import SORTS

__all__ = ["client"]

pytestmark = SHARED


@pytest.mark.parametrize("sort", [sign + name for name in SORTS for sign in ("", "-")])
async def test_cursors_lead_through_jobs_in_every_order(client: httpx2.AsyncClient, sort: str) -> None:
    for number in range(5):
        at = f"20{90 + number % 2}-01-01T00:00:00Z"
        await create(client, name=f"n{number % 2}", priority=number % 2, enabled=number < 3, schedule_expr=at)
    whole = [job["id"] for job in (await client.get(f"/api/v1/jobs?sort={sort}")).json()["jobs"]]

    pages = await ids_by_links(client, f"/api/v1/jobs?size=2&sort={sort}", "jobs")
    offsets = [(await client.get(f"/api/v1/jobs?size=2&sort={sort}&page={n}")).json()["jobs"] for n in (1, 2, 3)]

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [each for page in pages for each in page] == whole == [job["id"] for page in offsets for job in page]


async def test_job_added_meanwhile_does_not_shift_the_next_page(client: httpx2.AsyncClient) -> None:
    ids = [(await create(client, name="m"))["id"] for _ in range(4)]
    first = await client.get("/api/v1/jobs?sort=name&size=2")
    await create(client, name="a")

    following = await client.get(links_of(first)["next"])

    assert [job["id"] for job in following.json()["jobs"]] == ids[2:]


async def test_total_is_counted_as_requested(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_lists, "MAX_COUNTED", 2)
    for _ in range(3):
        await create(client)

    answers = {count: await client.get(f"/api/v1/jobs?size=2&count={count}") for count in ("exact", "capped", "none")}

    assert {count: answer.json()["total"] for count, answer in answers.items()} == {
        "exact": 3,
        "capped": 2,
        "none": None,
    }
    assert {count: sorted(links_of(answer)) for count, answer in answers.items()} == {
        "exact": ["first", "last", "next"],
        "capped": ["first", "next"],
        "none": ["first", "next"],
    }


FORGED: list[object] = [
    None, 1, "x", [], ["id"], ["id", 0, None], ["id", 2**63, None], ["id", True, None], ["id", "1", None],
    ["name", 1, None], ["id", 1, "a"], {"id": 1},
]  # fmt: skip
FORGED_FOR_NAMES: list[object] = [["name", 1, 1], ["name", 1, "\0"], ["name", 1, "\ud800"], ["name", 1, None]]
FORGED_INSTANTS: list[object] = [["created_at", 1, {"at": at}] for at in ("", "2026", "0001-01-01T00:00+14:00", 5)]


@pytest.mark.parametrize(
    ("sort", "document"),
    [
        *(("id", each) for each in FORGED),
        *(("name", each) for each in FORGED_FOR_NAMES),
        *(("created_at", each) for each in FORGED_INSTANTS),
        ("priority", ["priority", 1, 2**40]),
    ],
)
async def test_cursor_of_another_list_is_refused(client: httpx2.AsyncClient, sort: str, document: object) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    answer = await client.get(f"/api/v1/jobs?sort={sort}&cursor={cursor}")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["cursor"]


@pytest.mark.parametrize("cursor", ["%20", "é", "a", "AAAA", "!"])
async def test_cursor_that_is_no_cursor_is_refused(client: httpx2.AsyncClient, cursor: str) -> None:
    assert (await client.get(f"/api/v1/jobs?cursor={cursor}")).status_code == 422


@pytest.mark.parametrize("q", ["ÜBER", "über", "ÜB", '"', "100%", "_", "it's", "a  b"])
async def test_search_finds_a_text_in_any_case(client: httpx2.AsyncClient, q: str) -> None:
    job = await create(client, name="Überweisung 100% a  b", description='it\'s "here" _')
    await create(client, name="other")

    found = await client.get("/api/v1/jobs", params={"q": q})

    assert [each["id"] for each in found.json()["jobs"]] == [job["id"]]


async def test_search_and_tags_follow_changes_of_a_job(client: httpx2.AsyncClient) -> None:
    job = await create(client, name="before", tags=["old", "old2"])
    await client.patch(f"/api/v1/jobs/{job['id']}", json={"name": "after", "tags": ["new"]})

    found = [
        (await client.get(f"/api/v1/jobs?{query}")).json()["total"]
        for query in ("q=before", "tag=old", "q=after", "tag=new", "q=after&tag=new&sort=-name")
    ]
    await client.delete(f"/api/v1/jobs/{job['id']}")

    assert found == [0, 0, 1, 1, 1]
    assert (await client.get("/api/v1/jobs?q=after")).json()["total"] == 0


async def test_cursors_lead_through_runs_of_a_window(client: httpx2.AsyncClient) -> None:
    job = await create(client, payload={"type": "program", "argv": ["true"]}, overlap_policy="queue")
    ids = [(await client.post(f"/api/v1/jobs/{job['id']}/run")).json()["id"] for _ in range(3)]

    pages = await ids_by_links(client, f"/api/v1/runs?job_id={job['id']}&since=2020-01-01T00:00:00Z&size=2", "runs")

    assert pages == [[ids[2], ids[1]], [ids[0]]]


@pytest.mark.parametrize("most_merged", [1, 2], ids=["all searched", "jobs merged"])
async def test_runs_of_an_owner_are_found_among_those_of_others(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, most_merged: int
) -> None:
    monkeypatch.setattr(runs_of_jobs, "WINDOW", 2)
    monkeypatch.setattr(runs_of_jobs, "MAX_MERGED_JOBS", most_merged)
    payload = {"type": "program", "argv": ["true"]}
    owner = f"ann {most_merged}"
    jobs = [await create(client, owner_id=each, payload=payload) for each in (owner, owner, "bob", "bob")]
    ids = [(await client.post(f"/api/v1/jobs/{job['id']}/run")).json()["id"] for job in jobs]

    pages = await ids_by_links(client, f"/api/v1/runs?owner_id={owner}&size=1", "runs")

    assert pages == [[ids[1]], [ids[0]]]


async def test_runs_are_listed_without_logs_on_request(client: httpx2.AsyncClient) -> None:
    job_id = await run_to_its_end(client, "echo hello")

    listed = {
        path: (await client.get(f"/api/v1/{path}")).json()["runs"][0]
        for path in (f"runs?job_id={job_id}", f"runs?job_id={job_id}&logs=none", f"jobs/{job_id}/runs?logs=none")
    }

    assert [(run["logs"], run["logs_tail"]) for run in listed.values()] == [("hello\n", False), ("", True), ("", True)]
