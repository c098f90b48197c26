"""Runs over HTTP."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from testkit.waiting import eventually
from tests.api.conftest import DEFINITION, SHARED, create, run_to_its_end

from scheduler_service.api.schemas.runs import RunOut, RunWhole
from scheduler_service.domain.run_state import TERMINAL
from scheduler_service.services import runs as run_service

pytestmark = SHARED

NO_RETRY = {"max_retries": 0}


async def start(client: httpx2.AsyncClient, script: str, **changes: Any) -> int:
    job = await create(client, payload={"type": "shell_script", "script": script}, retry_policy=NO_RETRY, **changes)
    run_id: int = (await client.post(f"/api/v1/jobs/{job['id']}/run")).json()["id"]
    return run_id


async def until(client: httpx2.AsyncClient, run_id: int, *statuses: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        run: dict[str, Any] = (await client.get(f"/api/v1/runs/{run_id}")).json()
        return run if run["status"] in statuses else None

    run: dict[str, Any] = await eventually(look)
    return run


async def ended(client: httpx2.AsyncClient, run_id: int) -> dict[str, Any]:
    return await until(client, run_id, *TERMINAL)


async def test_run_is_shown_with_its_attempts_and_its_log(client: httpx2.AsyncClient) -> None:
    run = await ended(client, await start(client, "echo out; echo err >&2; exit 3"))

    assert list(run) == list(RunWhole.model_fields)
    assert (run["status"], run["reason"], run["exit_code"], run["signal"]) == ("failed", "exit_code", 3, None)
    assert (run["logs"], run["logs_tail"], run["logs_truncated"]) == ("out\nerr\n", False, False)
    assert run["finished_at"] > run["started_at"] >= run["queued_at"]
    assert run["duration_seconds"] > 0
    assert run["isolation"]["level"] == "none"
    assert run["usage"]["max_rss_kb"] > 0
    (attempt,) = run["attempts"]
    assert (attempt["attempt"], attempt["status"], attempt["worker"]) == (1, "failed", run["worker"])


async def test_run_has_the_inputs_of_its_request(client: httpx2.AsyncClient) -> None:
    script = {"type": "shell_script", "script": 'echo "$SCHEDULER_ARGS $A $B"'}
    job = await create(client, payload=script, args={"a": 1, "b": 1}, env={"A": "1", "B": "1"})
    url = f"/api/v1/jobs/{job['id']}/run"
    changed = await client.post(url, json={"args": {"b": [2]}, "env": {"B": "2"}})
    run = await ended(client, changed.json()["id"])
    plain = await ended(client, (await client.post(url, json={})).json()["id"])

    assert run["logs"] == '{"a": 1, "b": [2]} 1 2\n'
    assert (run["args"], run["env"]) == ({"b": [2]}, {"B": "2"})
    assert (plain["logs"], plain["args"], plain["env"]) == ('{"a": 1, "b": 1} 1 1\n', None, None)


async def test_run_of_a_busy_job_is_refused_with_the_remedy(client: httpx2.AsyncClient) -> None:
    run_id = await start(client, "sleep 60")
    run = (await client.get(f"/api/v1/runs/{run_id}")).json()
    refused = await client.post(f"/api/v1/jobs/{run['job_id']}/run")
    forced = await client.post(f"/api/v1/jobs/{run['job_id']}/run", json={"ignore_overlap": True})
    await client.delete(f"/api/v1/jobs/{run['job_id']}")

    assert (refused.status_code, forced.status_code) == (409, 202)
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert f"run {run_id} of job" in refused.json()["detail"]
    assert "ignore_overlap=true" in refused.json()["detail"]


async def test_run_is_the_same_document_when_its_log_is_read_in_slices(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await start(client, r"""printf '{"logs":""}\n\t"quoted" \\ \001 zwölf €\n'; exit 3""")
    whole = await ended(client, run_id)
    log = await client.get(f"/api/v1/runs/{run_id}/logs")

    monkeypatch.setattr(run_service, "SLICE_BYTES", 5)
    in_pieces = await client.get(f"/api/v1/runs/{run_id}")
    log_in_pieces = await client.get(f"/api/v1/runs/{run_id}/logs")

    assert in_pieces.json() == whole
    assert in_pieces.headers["Content-Type"] == "application/json"
    assert log_in_pieces.text == log.text == whole["logs"]
    assert log_in_pieces.headers["X-Next-Offset"] == log.headers["X-Next-Offset"]


async def test_attempts_carry_the_offset_of_their_log(client: httpx2.AsyncClient) -> None:
    script = {"type": "shell_script", "script": "echo '--- attempt 2 ---'; exit 3"}
    job = await create(client, payload=script, retry_policy={"max_retries": 1, "retry_delay": 0, "jitter": 0})

    run = await ended(client, (await client.post(f"/api/v1/jobs/{job['id']}/run")).json()["id"])

    first, second = (attempt["log_offset"] for attempt in run["attempts"])
    assert run["logs"][first:second] == "--- attempt 2 ---\n"
    assert run["logs"][second:] == "--- attempt 2 ---\n--- attempt 2 ---\n"


async def test_run_of_a_calculation_has_its_result(client: httpx2.AsyncClient) -> None:
    payload = {"type": "number_crunching", "operation": "prime_numbers", "limit": 100}
    job = await create(client, payload=payload)

    run = await ended(client, (await client.post(f"/api/v1/jobs/{job['id']}/run")).json()["id"])

    assert run["result"]["count"] == 25


async def test_list_shows_the_end_of_a_long_log(client: httpx2.AsyncClient) -> None:
    run_id = await start(client, "seq 10000; echo end")
    whole = await ended(client, run_id)

    (listed,) = (await client.get(f"/api/v1/jobs/{whole['job_id']}/runs")).json()["runs"]

    assert list(listed) == list(RunOut.model_fields)
    assert listed["logs_tail"]
    assert len(listed["logs"]) == 16 * 1024
    assert whole["logs"].endswith(listed["logs"])


async def test_log_is_read_from_an_offset(client: httpx2.AsyncClient) -> None:
    run_id = await start(client, "printf 'one\\nzw\u00f6lf\\n'")
    await ended(client, run_id)

    whole = await client.get(f"/api/v1/runs/{run_id}/logs")
    rest = await client.get(f"/api/v1/runs/{run_id}/logs?offset=4")
    nothing = await client.get(f"/api/v1/runs/{run_id}/logs?offset={rest.headers['X-Next-Offset']}")

    assert whole.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (whole.text, rest.text, nothing.text) == ("one\nzw\u00f6lf\n", "zw\u00f6lf\n", "")
    assert {answer.headers["X-Next-Offset"] for answer in (whole, rest, nothing)} == {"11"}
    assert whole.headers["X-Run-Status"] == "success"


async def test_log_is_plain_text_even_for_a_browser(client: httpx2.AsyncClient) -> None:
    run_id = await start(client, "echo '<script>alert(1)</script>'")
    await ended(client, run_id)

    answer = await client.get(f"/api/v1/runs/{run_id}/logs", headers={"Accept": "text/html"})

    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_running_run_is_cancelled(client: httpx2.AsyncClient) -> None:
    run_id = await start(client, "exec sleep 300")
    await until(client, run_id, "running")

    answer = await client.post(f"/api/v1/runs/{run_id}/cancel")

    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/runs/{run_id}"
    assert answer.json()["cancel_requested_at"]
    run = await ended(client, run_id)
    assert (run["status"], run["reason"]) == ("cancelled", "user")


async def test_finished_run_cannot_be_cancelled(client: httpx2.AsyncClient) -> None:
    run_id = await start(client, "true")
    await ended(client, run_id)

    answer = await client.post(f"/api/v1/runs/{run_id}/cancel")

    assert answer.status_code == 409
    assert answer.json()["detail"] == f"run {run_id} has ended (success); there is nothing to cancel"


async def test_failed_run_is_retried_as_a_new_run(client: httpx2.AsyncClient) -> None:
    run_id = await start(client, "false")
    failed = await ended(client, run_id)

    answer = await client.post(f"/api/v1/runs/{run_id}/retry")

    new = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/runs/{new['id']}"
    assert (new["retry_of"], new["trigger"], new["scheduled_for"]) == (run_id, "retry", failed["scheduled_for"])
    assert await ended(client, run_id) == failed


async def test_longest_arguments_reach_the_job(client: httpx2.AsyncClient) -> None:
    args = {"a": "x" * (128 * 1024 - len('SCHEDULER_ARGS={"a": ""}\0'))}

    run = await ended(client, await start(client, 'printf %s "$SCHEDULER_ARGS" | wc -c', args=args))

    assert (run["status"], run["logs"].strip()) == ("success", str(len(json.dumps(args))))


async def test_retry_is_made_once_for_an_idempotency_key(client: httpx2.AsyncClient) -> None:
    run_id = await start(client, "false")
    job_id = (await ended(client, run_id))["job_id"]

    retries = [
        await client.post(f"/api/v1/runs/{run_id}/retry", headers={"Idempotency-Key": key}) for key in ("a", "a", "b")
    ]

    first, again, other = (answer.json()["id"] for answer in retries)
    assert (again, other) == (first, first + 1)
    assert (await client.get(f"/api/v1/jobs/{job_id}/runs")).json()["total"] == 3


@pytest.mark.parametrize("action", ["cancel", "retry"])
async def test_body_is_refused_when_a_call_takes_none(client: httpx2.AsyncClient, action: str) -> None:
    run_id = await start(client, "false")
    await ended(client, run_id)

    answer = await client.post(f"/api/v1/runs/{run_id}/{action}", json={"args": {}})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")


async def test_successful_run_cannot_be_retried(client: httpx2.AsyncClient) -> None:
    run_id = await start(client, "true")
    await ended(client, run_id)

    assert (await client.post(f"/api/v1/runs/{run_id}/retry")).status_code == 409


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/logs"), ("POST", "/cancel"), ("POST", "/retry")])
async def test_unknown_run_is_404(client: httpx2.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, f"/api/v1/runs/4711{path}")

    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is no run 4711"


async def test_log_is_read_by_lines_and_searched(client: httpx2.AsyncClient) -> None:
    job_id = await run_to_its_end(client, "seq 1 50; echo Needle")
    (run,) = (await client.get(f"/api/v1/runs?job_id={job_id}&logs=none")).json()["runs"]
    path = f"/api/v1/runs/{run['id']}/logs"

    part = await client.get(f"{path}?from_line=10&lines=2")
    last = await client.get(f"{path}?from_line=-2")
    found = (await client.get(f"{path}/search?q=needle")).json()

    assert (part.text, part.headers["X-From-Line"], part.headers["X-Next-Line"]) == ("10\n11\n", "10", "12")
    assert (last.text, last.headers["X-Lines"], last.headers["X-From-Line"]) == ("50\nNeedle\n", "51", "50")
    assert found == {"matches": [{"line": 51, "offset": run["log_bytes"] - 7, "text": "Needle"}], "next_line": None}
    assert (await client.get(f"{path}?from_line=0")).status_code == 422
    assert (await client.get(f"{path}/search?q=")).status_code == 422


async def test_recent_outcomes_of_several_jobs(client: httpx2.AsyncClient) -> None:
    first, second = await run_to_its_end(client, "true"), await run_to_its_end(client, "exit 3")

    found = (await client.get(f"/api/v1/jobs/recent?ids={second},{first}&ids=4711")).json()["jobs"]

    shown = {job["job_id"]: [(each["status"], each["reason"]) for each in job["outcomes"]] for job in found}
    assert shown == {first: [("success", None)], second: [("failed", "exit_code")]}
    assert found[0]["outcomes"][0]["duration_seconds"] > 0
    assert (await client.get("/api/v1/jobs/recent")).status_code == 422


async def test_definition_is_tried_out_without_storing_it(client: httpx2.AsyncClient) -> None:
    draft = {**DEFINITION, "payload": {"type": "shell_script", "script": "echo tried out"}}
    answer = await client.post("/api/v1/test-runs", json=draft)
    assert (answer.status_code, answer.json()["trigger"]) == (202, "test"), answer.text
    url = answer.headers["Location"]

    async def has_ended() -> bool:
        return (await client.get(url)).json()["finished_at"] is not None

    await eventually(has_ended)
    run = (await client.get(url)).json()
    assert (run["status"], run["logs"]) == ("success", "tried out\n")
    assert (await client.get(f"/api/v1/jobs/{run['job_id']}")).status_code == 404
