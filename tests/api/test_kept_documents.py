"""Lists show what is stored now, although they keep parts of what they have shown before."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import httpx2
import pytest
from testkit.databases import NOON
from testkit.doubles import FakeClock
from testkit.records import job_record
from testkit.waiting import eventually
from tests.api.conftest import SHARED, create, run_to_its_end

from scheduler_service.api import kept_parts
from scheduler_service.api.job_documents import JobListDocument
from scheduler_service.api.kept_parts import KeptParts
from scheduler_service.domain.records import JobState
from scheduler_service.services.schedules import ScheduleService


async def listed_job(client: httpx2.AsyncClient, job_id: int) -> object:
    jobs = (await client.get("/api/v1/jobs?sort=-id&size=50")).json()["jobs"]
    return next(job for job in jobs if job["id"] == job_id)


@SHARED
async def test_listed_job_follows_each_change(client: httpx2.AsyncClient) -> None:
    job = await create(client, payload={"type": "program", "argv": ["false"]}, pause_after_failures=1)
    path = f"/api/v1/jobs/{job['id']}"

    for change in ({"name": "other"}, {"enabled": False}, {"enabled": True}, {"description": "é", "tags": ["a"]}):
        await client.patch(path, json=change)
        assert await listed_job(client, job["id"]) == (await client.get(path)).json()
    await client.post(f"{path}/run")

    async def has_failed() -> bool:
        return bool((await client.get(path)).json()["last_run_status"] == "failed")

    await eventually(has_failed)
    assert await listed_job(client, job["id"]) == (await client.get(path)).json()


@SHARED
async def test_listed_run_follows_the_name_of_its_job(client: httpx2.AsyncClient) -> None:
    job_id = await run_to_its_end(client, "echo hello; exit 3")
    path = f"/api/v1/jobs/{job_id}"
    for name in ("first", "second"):
        await client.patch(path, json={"name": name})
        (listed,) = (await client.get(f"{path}/runs")).json()["runs"]
        (without_log,) = (await client.get(f"{path}/runs?logs=none")).json()["runs"]
        whole = (await client.get(f"/api/v1/runs/{listed['id']}")).json()
        assert {**whole, "expected_seconds": None} == {**listed, "attempts": whole["attempts"]}
        assert (listed["job_name"], without_log["logs"], without_log["logs_tail"]) == (name, "", True)


@SHARED
async def test_lists_are_complete_if_nothing_can_be_kept(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_parts, "MAX_KEPT_BYTES", 0)
    job_id = await run_to_its_end(client, "true")
    for _ in range(2):
        assert await listed_job(client, job_id) == (await client.get(f"/api/v1/jobs/{job_id}")).json()
        assert len((await client.get(f"/api/v1/jobs/{job_id}/runs")).json()["runs"]) == 1


def test_parts_that_two_requests_keep_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_parts, "MAX_KEPT_BYTES", 10)
    kept: KeptParts[int] = KeptParts()
    for _ in range(100):
        kept.put(1, (b"12", b"34"))
    kept.put(2, (b"56", b"78"))
    assert [kept.find(key) for key in (1, 2)] == [(b"12", b"34"), (b"56", b"78")]
    kept.put(3, (b"9", b""))
    kept.put(4, (b"0", b"0"))
    assert [kept.find(key) is not None for key in (1, 2, 3, 4)] == [False, True, True, True]


def test_list_holds_what_another_request_makes_be_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: KeptParts[Any] = KeptParts()
    job = job_record(updated_at=NOON)
    state = JobState(**{field.name: getattr(job, field.name) for field in fields(JobState)})
    JobListDocument(kept, NOON.date()).add({job.id: job}, ScheduleService(FakeClock()))
    document = JobListDocument(kept, NOON.date())
    assert document.knows(state)
    monkeypatch.setattr(kept_parts, "MAX_KEPT_BYTES", 0)
    kept.put("another", (b"x",))
    assert not JobListDocument(kept, NOON.date()).knows(state)
    assert b'"name":"a job"' in document.show([state], {})
