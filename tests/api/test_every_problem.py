"""All wrong fields of a body are reported at once, at bounded cost."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from testkit.waiting import eventually
from tests.api.conftest import DEFINITION, SHARED, create
from tests.database_fixtures import SHARED_ON_SQLITE

from scheduler_service.http import suggestions
from scheduler_service.payloads.bounded import MAX_PROBLEMS
from scheduler_service.services.job_definition import JobDefinition

pytestmark = [SHARED, SHARED_ON_SQLITE]

JSON = {"Content-Type": "application/json"}
WRONG: dict[str, Any] = {
    "schedule_expr": "61 * * * *",
    "timezone": "Mars/X",
    "limits": {"memory_mb": -1},
    "end_at": "2020-01-01T00:00:00Z",
    "payload": {"type": "python_code", "environment": "sciense", "cod": "1"},
    "retry_policy": {"max_retries": "3", "retry_delay": -1, "tries": 2},
    "tags": ["fine", 5],
    "env": {"1A": "x", "HOME": "/"},
    "args": {"a": "\0"},
    "command": "ls",
}
FIELDS = {
    "schedule_expr", "timezone", "limits.memory_mb", "end_at", "payload.environment", "payload.code", "payload.cod",
    "retry_policy.max_retries", "retry_policy.retry_delay", "retry_policy.tries", "tags.1", "env.1A", "env.HOME",
    "args.a", "command",
}  # fmt: skip


def fields_of(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [error["field"] for error in answer.json()["errors"]]


async def test_every_wrong_field_of_a_new_job_is_reported(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs", content=json.dumps({**DEFINITION, **WRONG}), headers=JSON)

    assert sorted(fields_of(answer)) == sorted(FIELDS)
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert {"#/schedule_expr", "#/retry_policy/max_retries", "#/env/1A"} <= pointers


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_every_wrong_field_of_a_change_is_reported(client: httpx2.AsyncClient, method: str) -> None:
    job = await create(client)
    body = {**(DEFINITION if method == "PUT" else {}), **WRONG, "id": 4711}

    answer = await client.request(method, f"/api/v1/jobs/{job['id']}", content=json.dumps(body), headers=JSON)

    assert sorted(fields_of(answer)) == sorted({*FIELDS, "id"})
    assert (await client.get(f"/api/v1/jobs/{job['id']}")).json() == job


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"schedule_expr": "61 * * * *", "timezone": "Mars/X"}, {"schedule_expr", "timezone"}),
        ({"schedule_expr": "2020-01-01T00:00:00Z", "timezone": "Mars/X"}, {"schedule_expr", "timezone"}),
        ({"schedule_expr": "2020-01-01T00:00:00Z", "priority": 99}, {"schedule_expr", "priority"}),
        ({"schedule_expr": "@yearly", "timezone": "Mars/X", "end_at": "2020-01-01T00:00:00Z"}, {"timezone", "end_at"}),
        ({"schedule_expr": 5, "end_at": "2020-01-01T00:00:00Z"}, {"schedule_expr", "end_at"}),
        ({"start_at": "tomorrow", "end_at": "2020-01-01T00:00:00Z"}, {"start_at", "end_at"}),
        ({"timezone": 5, "schedule_expr": "61 * * * *"}, {"timezone", "schedule_expr"}),
        ({"schedule_expr": "61 * * * *", "dst": {"gap": "jump"}}, {"schedule_expr", "dst.gap"}),
        ({"limits": {"processes": 0, "memory_mb": "5"}}, {"limits.processes", "limits.memory_mb"}),
        ({"name": "", "payload": {"type": "nothing"}, "timezone": "Mars/X"}, {"name", "payload.type", "timezone"}),
    ],
)
async def test_errors_of_every_validation_stage_are_reported(
    client: httpx2.AsyncClient, changes: dict[str, Any], fields: set[str]
) -> None:
    answer = await client.post("/api/v1/jobs", json={**DEFINITION, **changes})

    assert sorted(fields_of(answer)) == sorted(fields)


async def test_schedule_is_checked_when_required_fields_are_missing(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs", json={"schedule_expr": "61 * * * *", "timezone": "Mars/X"})

    assert sorted(fields_of(answer)) == ["name", "payload", "schedule_expr", "timezone"]


async def test_every_wrong_field_of_a_preview_is_reported(client: httpx2.AsyncClient) -> None:
    wrong = {"schedule_expr": "61 * * * *", "timezone": "Mars/X", "count": 0, "dst": {"gap": "jump"}, "tz": "UTC"}

    answer = await client.post("/api/v1/schedules/preview", json=wrong)

    assert sorted(fields_of(answer)) == ["count", "dst.gap", "schedule_expr", "timezone", "tz"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_every_wrong_field_of_an_alert_rule_is_reported(client: httpx2.AsyncClient, method: str) -> None:
    rule = {"name": "a rule", "on": ["failure"], "channel": {"type": "email", "to": ["a@example.org"]}}
    path = "/api/v1/alerts"
    if method != "POST":
        path += f"/{(await client.post(path, json=rule)).json()['id']}"
    wrong = {
        **rule,
        "job_id": 4711,
        "failures": 0,
        "channel": {"type": "webhook", "url": "https://x.org", "secret": "***"},
    }

    answer = await client.request(method, path, json=wrong)

    assert sorted(fields_of(answer)) == ["channel.secret", "failures", "job_id"]


async def test_suggestions_are_limited_when_many_names_are_unknown(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    closest = suggestions.closest

    def compare(name: str, known: list[str]) -> str | None:
        compared.append(name)
        return closest(name, known)

    monkeypatch.setattr(suggestions, "closest", compare)

    answer = await client.post("/api/v1/jobs", json={**DEFINITION, **{f"x{number}": 1 for number in range(20_000)}})
    in_address = await client.get("/api/v1/jobs?" + "&".join(f"x{number}=1" for number in range(2_000)))

    assert answer.json()["detail"].endswith(f"; and {20_000 - 3} more")
    assert in_address.json()["detail"].endswith(f"; and {2_000 - 3} more")
    assert len(answer.json()["errors"]) == len(in_address.json()["errors"]) == MAX_PROBLEMS
    assert len(compared) <= 2 * MAX_PROBLEMS


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/alerts"])
async def test_document_can_be_sent_back_as_it_was_read(app: FastAPI, client: httpx2.AsyncClient, path: str) -> None:
    channel = {"type": "webhook", "url": "https://example.org/x", "secret": "correct-horse"}
    definition = DEFINITION if path.endswith("jobs") else {"name": "a rule", "on": ["failure"], "channel": channel}
    made = (await client.post(path, json=definition)).json()

    for method in ("PUT", "PATCH"):
        answer = await client.request(method, f"{path}/{made['id']}", json=made)
        assert answer.status_code == 200, answer.text
        kept = {**answer.json(), "updated_at": made["updated_at"]} if path.endswith("alerts") else answer.json()
        assert kept == made
        made = answer.json()


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_read_only_fields_of_a_job_are_refused_when_they_differ(client: httpx2.AsyncClient, method: str) -> None:
    job = await create(client)
    differing = {
        "id": 4711, "status": "paused", "next_run_at": "2101-01-01T00:00:00Z", "last_run_at": "2101-01-01T00:00:00Z",
        "last_run_status": "success", "schedule_description": "x", "version": 7, "created_at": "2020-01-01T00:00:00Z",
        "updated_at": None, "warnings": "x",
    }  # fmt: skip

    answer = await client.request(method, f"/api/v1/jobs/{job['id']}", json={**job, **differing})

    assert sorted(fields_of(answer)) == sorted(differing)
    details = {error["field"]: error["detail"] for error in answer.json()["errors"]}
    assert details["version"] == "read-only, and 1 now; the job was changed since; read it again"
    assert details["status"].startswith("read-only, and active now; to pause or resume the job, set enabled")


async def test_read_only_fields_of_a_rule_are_refused_when_they_differ(client: httpx2.AsyncClient) -> None:
    definition = {"name": "a rule", "on": ["failure"], "channel": {"type": "email", "to": ["a@example.org"]}}
    rule = (await client.post("/api/v1/alerts", json=definition)).json()
    differing = {"id": 4711, "created_at": "2020-01-01T00:00:00Z", "updated_at": "x", "warnings": "x"}

    answer = await client.put(f"/api/v1/alerts/{rule['id']}", json={**rule, **differing})

    assert sorted(fields_of(answer)) == sorted(differing)


async def test_read_only_fields_of_a_new_job_are_refused(client: httpx2.AsyncClient) -> None:
    job = await create(client)

    answer = await client.post("/api/v1/jobs", json=job)

    details = {error["field"]: error["detail"] for error in answer.json()["errors"]}
    assert details.pop("status") == "read-only; use POST …/pause and …/resume, or `enabled`"
    assert set(details.values()) == {"read-only; leave it out"}
    assert set(details) == {*job} - set(JobDefinition.model_fields) - {"status"}


async def test_stale_copy_is_accepted_when_only_runs_changed_the_job(app: FastAPI, client: httpx2.AsyncClient) -> None:
    job = await create(client)
    run = (await client.post(f"/api/v1/jobs/{job['id']}/run")).json()

    async def has_ended() -> bool:
        found = (await client.get(f"/api/v1/runs/{run['id']}")).json()
        return found["finished_at"] is not None

    await eventually(has_ended)
    moved = (await client.get(f"/api/v1/jobs/{job['id']}")).json()
    answer = await client.put(f"/api/v1/jobs/{job['id']}", json={**job, "name": "renamed"})

    assert moved["last_run_at"] is not None
    assert (answer.status_code, answer.json()["name"]) == (200, "renamed")
    assert answer.json()["last_run_at"] == moved["last_run_at"]
