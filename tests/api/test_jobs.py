"""Jobs over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from testkit.soon import create_soon
from testkit.waiting import eventually
from tests.api.conftest import DEFINITION, NEVER, SHARED, create

from scheduler_service.api import examples
from scheduler_service.api.schemas.jobs import JobOut
from scheduler_service.services.job_definition import JobDefinition

pytestmark = SHARED

JOBS = "/api/v1/jobs"


async def test_created_job_is_found_at_its_location(client: httpx2.AsyncClient) -> None:
    answer = await client.post(JOBS, json=DEFINITION)

    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["Location"] == f"{JOBS}/{job['id']}"
    stored = await client.get(answer.headers["Location"])
    assert (stored.json(), stored.headers["ETag"]) == (job, answer.headers["ETag"])


async def test_job_is_shown_with_all_its_defaults(client: httpx2.AsyncClient) -> None:
    job = await create(client, schedule_expr="*/10 * * * *", timezone="Europe/Berlin")

    assert list(job) == list(JobOut.model_fields)
    assert job == {
        **examples.JOB,
        **DEFINITION,
        "retry_policy": {**examples.JOB["retry_policy"], "max_retries": 0},
        "schedule_expr": "*/10 * * * *",
        "timezone": "Europe/Berlin",
        "owner_id": "",
        "tags": [],
        "schedule_description": "Every 10 minutes (Europe/Berlin)",
        "last_run_at": None,
        "last_run_status": None,
        **{name: job[name] for name in ("id", "next_run_at", "created_at", "updated_at")},
    }


OF_EVERY_TYPE = {
    "retry_policy": {"max_retries": 1, "retry_delay": 2.5, "backoff_factor": 3.0, "max_delay": 4.0, "jitter": 0.5},
    "owner_id": "team",
    "tags": ["a", "b"],
    "enabled": False,
    "priority": 9,
    "timeout_seconds": 1.5,
    "limits": {**examples.JOB["limits"], "memory_mb": 64, "network": True},
    "overlap_policy": "queue",
    "dst": {"gap": "skip", "fold": "both"},
    "start_at": "2090-06-01T10:00:00Z",
    "end_at": "2091-06-01T10:00:00Z",
    "env": {"NAME": "value"},
    "args": {"a": [1, None, {"b": "c"}]},
}


async def test_every_field_is_returned_as_it_was_sent(client: httpx2.AsyncClient) -> None:
    job = await create(client, schedule_expr="@hourly", **OF_EVERY_TYPE)

    assert {name: job[name] for name in OF_EVERY_TYPE} == OF_EVERY_TYPE
    assert (await client.get(f"{JOBS}/{job['id']}")).json() == job


async def test_patch_resets_every_field_to_its_default(client: httpx2.AsyncClient) -> None:
    job = await create(client, schedule_expr="@hourly", **OF_EVERY_TYPE)

    patched = await client.patch(f"{JOBS}/{job['id']}", json=dict.fromkeys(OF_EVERY_TYPE))

    defaults = JobDefinition.model_validate(DEFINITION).model_dump(mode="json")
    assert {name: patched.json()[name] for name in OF_EVERY_TYPE} == {name: defaults[name] for name in OF_EVERY_TYPE}


async def test_instants_are_written_in_utc(client: httpx2.AsyncClient) -> None:
    job = await create(client, schedule_expr="@hourly", start_at="2090-06-01T12:00:00+02:00")

    assert job["start_at"] == "2090-06-01T10:00:00Z"
    assert job["next_run_at"] == "2090-06-01T10:00:00Z"
    assert datetime.fromisoformat(job["created_at"]).tzinfo == UTC
    assert job["created_at"].endswith("Z")


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "python_code", "code": "print('ü \U0001f600')"},
        {"type": "shell_script", "script": "#!/bin/sh\necho"},
        {"type": "number_crunching", "operation": "prime_numbers", "limit": 1000},
        {"type": "program", "argv": ["ls", "-l"]},
    ],
)
async def test_every_payload_kind_is_accepted(client: httpx2.AsyncClient, payload: dict[str, Any]) -> None:
    job = await create(client, payload=payload)

    assert payload.items() <= job["payload"].items()


async def test_job_is_created_once_for_an_idempotency_key(client: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "order-4711"}

    first = await client.post(JOBS, json={**DEFINITION, "name": "only once"}, headers=headers)
    second = await client.post(JOBS, json={**DEFINITION, "name": "only once"}, headers=headers)

    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["Location"] == first.headers["Location"]
    assert (await client.get(f"{JOBS}?q=only once")).json()["total"] == 1


async def test_idempotency_key_of_another_job_is_refused(client: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "order-4711"}
    await client.post(JOBS, json=DEFINITION, headers=headers)

    answer = await client.post(JOBS, json={**DEFINITION, "name": "another"}, headers=headers)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "Idempotency-Key"
    assert "pointer" not in error


async def test_job_on_demand_has_no_next_instants(client: httpx2.AsyncClient) -> None:
    job = await create(client, schedule_expr=None)
    upcoming = (await client.get(f"{JOBS}/{job['id']}/next")).json()
    preview = (await client.post("/api/v1/schedules/preview", json={"schedule_expr": None})).json()
    replaced = await client.put(f"{JOBS}/{job['id']}", json=job)

    assert (job["status"], job["schedule_expr"], job["next_run_at"]) == ("active", None, None)
    assert job["schedule_description"] == upcoming["description"] == preview["description"] == "On demand"
    assert upcoming["instants"] == preview["instants"] == []
    assert (replaced.status_code, replaced.json()["version"]) == (200, job["version"])


async def test_job_has_warnings_for_a_risky_schedule(client: httpx2.AsyncClient) -> None:
    job = await create(client, schedule_expr="30 2 * * *", timezone="Europe/Berlin")

    assert job["schedule_description"] == "At 02:30 (Europe/Berlin)"
    assert job["warnings"]


async def test_job_has_a_warning_when_code_had_a_byte_order_mark(client: httpx2.AsyncClient) -> None:
    job = await create(client, payload={"type": "python_code", "code": "\ufeffprint(1)\r\n"}, schedule_expr="@hourly")

    assert job["payload"]["code"] == "print(1)\r\n"
    assert job["warnings"] == ["payload.code began with a byte order mark, which is not stored."]


async def test_job_has_a_warning_when_line_endings_were_changed(client: httpx2.AsyncClient) -> None:
    script = {"type": "shell_script", "script": "\ufeffif true; then\r\n  echo a\r\nfi\r\n"}
    job = await create(client, payload=script, schedule_expr="@hourly")
    kept = (await client.get(f"{JOBS}/{job['id']}")).json()
    replaced = await client.put(f"{JOBS}/{job['id']}", json=job)
    patched = await client.patch(f"{JOBS}/{job['id']}", json={"payload": {"script": "echo b\r\n"}})

    assert job["payload"]["script"] == "if true; then\n  echo a\nfi\n"
    assert job["warnings"] == [
        "payload.script began with a byte order mark, which is not stored.",
        "payload.script had CRLF at the end of 3 lines; it is stored with LF, as shells need it.",
    ]
    assert (kept["payload"], kept["warnings"]) == (job["payload"], [])
    assert (replaced.status_code, replaced.json()["warnings"]) == (200, [])
    assert patched.json()["payload"]["script"] == "echo b\n"
    assert "1 line;" in patched.json()["warnings"][0]


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
async def test_patch_is_merged_into_the_job(client: httpx2.AsyncClient, media_type: str) -> None:
    job = await create(client, tags=["a"], retry_policy={"max_retries": 7, "retry_delay": 5}, timeout_seconds=9)

    answer = await client.patch(
        f"{JOBS}/{job['id']}",
        content='{"name": "new", "retry_policy": {"retry_delay": 6}, "timeout_seconds": null}',
        headers={"Content-Type": media_type},
    )

    changed = answer.json()
    assert answer.status_code == 200
    assert (changed["name"], changed["tags"], changed["timeout_seconds"]) == ("new", ["a"], 300)
    assert (changed["retry_policy"]["max_retries"], changed["retry_policy"]["retry_delay"]) == (7, 6)
    assert changed["version"] == 2


async def test_put_replaces_the_definition(client: httpx2.AsyncClient) -> None:
    job = await create(client, tags=["a"], priority=9)

    answer = await client.put(f"{JOBS}/{job['id']}", json={**DEFINITION, "name": "new"})

    replaced = answer.json()
    assert (replaced["id"], replaced["name"], replaced["tags"], replaced["priority"]) == (job["id"], "new", [], 5)
    assert replaced["created_at"] == job["created_at"]


async def test_deleted_job_keeps_its_history(client: httpx2.AsyncClient) -> None:
    job = await create(client)
    run = (await client.post(f"{JOBS}/{job['id']}/run")).json()

    answer = await client.delete(f"{JOBS}/{job['id']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.get(f"{JOBS}/{job['id']}")).status_code == 404
    assert [row["id"] for row in (await client.get(f"{JOBS}/{job['id']}/runs")).json()["runs"]] == [run["id"]]


async def test_job_is_paused_and_resumed(client: httpx2.AsyncClient) -> None:
    job = await create(client)

    paused = (await client.post(f"{JOBS}/{job['id']}/pause")).json()
    resumed = (await client.post(f"{JOBS}/{job['id']}/resume")).json()

    assert (paused["status"], paused["enabled"], paused["next_run_at"]) == ("paused", False, None)
    assert (resumed["status"], resumed["enabled"], resumed["next_run_at"]) == ("active", True, NEVER)


async def test_pause_shows_its_reason_and_end(client: httpx2.AsyncClient) -> None:
    path = f"{JOBS}/{(await create(client))['id']}"

    paused = (
        await client.post(f"{path}/pause", json={"reason": "stocktaking", "until": "2099-01-01T01:00:00+01:00"})
    ).json()
    again = (await client.post(f"{path}/resume")).json()

    assert (paused["pause_reason"], paused["paused_until"]) == ("stocktaking", "2099-01-01T00:00:00Z")
    assert (again["pause_reason"], again["paused_until"]) == (None, None)


async def test_every_problem_of_a_pause_is_named(client: httpx2.AsyncClient) -> None:
    path = f"{JOBS}/{(await create(client))['id']}"

    answer = await client.post(f"{path}/pause", json={"until": "tomorrow", "because": "x"})

    assert (answer.status_code, {error["field"] for error in answer.json()["errors"]}) == (422, {"until", "because"})


async def test_paused_job_can_be_run_now(client: httpx2.AsyncClient) -> None:
    job = await create(client, enabled=False)

    answer = await client.post(f"{JOBS}/{job['id']}/run", headers={"X-Request-ID": "asked-by-hand"})

    run = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/runs/{run['id']}"
    assert (run["job_id"], run["trigger"], run["correlation_id"]) == (job["id"], "manual", "asked-by-hand")


async def test_job_is_run_once_for_an_idempotency_key(client: httpx2.AsyncClient) -> None:
    job = await create(client)
    headers = {"Idempotency-Key": "now"}

    runs = [(await client.post(f"{JOBS}/{job['id']}/run", headers=headers)).json()["id"] for _ in range(3)]

    assert len(set(runs)) == 1
    assert (await client.get(f"{JOBS}/{job['id']}/runs")).json()["total"] == 1


@pytest.mark.parametrize("action", ["resume"])
@pytest.mark.parametrize("body", [b'{"args": {"a": 1}}', b"{", b"null", b"x" * 2_000])
async def test_body_is_refused_when_a_call_takes_none(client: httpx2.AsyncClient, action: str, body: bytes) -> None:
    job = await create(client)

    answer = await client.post(f"{JOBS}/{job['id']}/{action}", content=body, headers={"Content-Type": "text/plain"})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "body", "pointer": "#", "detail": "this request must not have a body; send none, or {}"}
    ]
    assert (await client.get(f"{JOBS}/{job['id']}")).json() == job
    assert (await client.get(f"{JOBS}/{job['id']}/runs")).json()["total"] == 0


@pytest.mark.parametrize("body", [b"", b"{}", b" { }\n"])
@pytest.mark.parametrize("action", ["pause", "resume", "run"])
async def test_empty_body_of_any_type_is_accepted(client: httpx2.AsyncClient, action: str, body: bytes) -> None:
    job = await create(client, overlap_policy="queue")
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    for headers in ({}, form):
        answer = await client.post(f"{JOBS}/{job['id']}/{action}", content=body, headers=headers)
        assert answer.is_success


async def test_two_idempotency_keys_are_refused(client: httpx2.AsyncClient) -> None:
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "two"), *client.headers.items()]

    answer = await client.post(JOBS, json=DEFINITION, headers=headers)

    assert answer.status_code == 422
    assert [(error["field"], error["detail"]) for error in answer.json()["errors"]] == [
        ("Idempotency-Key", "given more than once; keep one")
    ]


async def test_error_says_which_idempotency_keys_are_valid(client: httpx2.AsyncClient) -> None:
    answer = await client.post(JOBS, json=DEFINITION, headers={"Idempotency-Key": "a b"})

    (error,) = answer.json()["errors"]
    assert error["detail"] == "must be 1 to 255 letters, digits and signs of ASCII, without blanks"


async def test_finished_job_cannot_be_paused(client: httpx2.AsyncClient) -> None:
    job, _ = await create_soon(lambda instant: create(client, schedule_expr=instant), AssertionError)
    path = f"{JOBS}/{job['id']}"

    async def is_finished() -> bool:
        return bool((await client.get(path)).json()["status"] == "finished")

    await eventually(is_finished)
    paused = await client.post(f"{path}/pause")
    disabled = await client.patch(path, json={"enabled": False})

    for answer in (paused, disabled):
        assert answer.status_code == 409
        assert answer.json()["detail"] == "the job is finished: it has no future runs to pause"
    assert (await client.patch(path, json={"name": "another"})).json()["status"] == "finished"


async def test_next_shows_instants_in_utc_and_in_the_zone(client: httpx2.AsyncClient) -> None:
    job = await create(client, schedule_expr="0 12 * * *", timezone="Asia/Tokyo", start_at="2090-01-01T00:00:00Z")

    answer = await client.get(f"{JOBS}/{job['id']}/next?count=2")

    assert answer.json() == {
        "job_id": job["id"],
        "timezone": "Asia/Tokyo",
        "description": "At 12:00 (Asia/Tokyo)",
        "instants": [
            {"at": "2090-01-01T03:00:00Z", "local": "2090-01-01T12:00:00+09:00", "note": None, "calendar": None},
            {"at": "2090-01-02T03:00:00Z", "local": "2090-01-02T12:00:00+09:00", "note": None, "calendar": None},
        ],
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PUT", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/run"),
        ("GET", "/runs"),
        ("GET", "/next"),
    ],
)
async def test_unknown_job_is_404(client: httpx2.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, f"{JOBS}/4711{path}", json=DEFINITION if method in {"PUT", "PATCH"} else None)

    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is no job 4711"


async def test_explanation_tells_what_holds_a_paused_job_back(client: httpx2.AsyncClient) -> None:
    job = await create(client, enabled=False)

    explained = (await client.get(f"{JOBS}/{job['id']}/explain")).json()

    paused = next(blocker for blocker in explained["blockers"] if blocker["code"] == "paused")
    assert (explained["status"], explained["last"], paused["met"]) == ("paused", [], False)
    assert paused["remedy"] == "Resume the job, or run it by hand."


async def test_past_instants_are_listed_and_then_run(client: httpx2.AsyncClient) -> None:
    job = await create(client, schedule_expr="0 6 * * *", overlap_policy="queue")
    window = {"from": "2026-01-12T00:00:00Z", "to": "2026-01-14T00:00:00Z"}
    url = f"{JOBS}/{job['id']}/backfill"

    planned = await client.post(url, json={**window, "dry_run": True})
    assert (planned.status_code, planned.json()["matched"], planned.json()["queued"]) == (200, 2, 0)
    done = await client.post(url, json=window)
    assert (done.status_code, done.json()["queued"]) == (202, 2)
    instants = [(each["scheduled_for"], each["outcome"]) for each in done.json()["instants"]]
    assert instants == [("2026-01-12T06:00:00Z", "gap"), ("2026-01-13T06:00:00Z", "gap")]
    run = (await client.get(f"/api/v1/runs/{done.json()['instants'][0]['run_id']}")).json()
    assert (run["trigger"], run["scheduled_for"]) == ("backfill", "2026-01-12T06:00:00Z")

    wrong = await client.post(url, json={"from": "yesterday", "to": "2999-01-01T00:00:00Z", "only": "some"})
    assert {error["pointer"] for error in wrong.json()["errors"]} == {"#/from", "#/only"}
