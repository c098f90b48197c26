"""Artifacts of real runs over HTTP, on each database: lists, downloads, ranges, owners, attempts and failures."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any

import httpx2
import pytest
from testkit.waiting import eventually
from tests.api.conftest import SHARED, app, client, create, shared_database_url

pytestmark = SHARED

__all__ = ["app", "client", "shared_database_url"]

REPORT = "<script>alert(1)</script>ü\n"
LEAVES = f"mkdir -p $SCHEDULER_ARTIFACTS/a; printf '%s' '{REPORT}' > \"$SCHEDULER_ARTIFACTS/a/ü report.html\""


async def ended(client: httpx2.AsyncClient, script: str, **changes: Any) -> dict[str, Any]:
    """Return a new run of a script when it has ended."""
    job = await create(client, payload={"type": "shell_script", "script": script}, **changes)
    run_id = (await client.post(f"/api/v1/jobs/{job['id']}/run")).json()["id"]

    async def look() -> dict[str, Any] | None:
        run: dict[str, Any] = (await client.get(f"/api/v1/runs/{run_id}")).json()
        return run if run["finished_at"] is not None else None

    run: dict[str, Any] = await eventually(look)
    return run


async def test_run_shows_its_artifacts(client: httpx2.AsyncClient) -> None:
    run = await ended(client, LEAVES)

    (listed,) = (await client.get(f"/api/v1/runs/{run['id']}/artifacts")).json()["artifacts"]
    size = len(REPORT.encode())
    assert run["artifacts"] == [{"name": "a/ü report.html", "size": size}]
    digest = hashlib.sha256(REPORT.encode()).hexdigest()
    assert listed == {"name": "a/ü report.html", "size": size, "sha256": digest, "media_type": "text/html"}
    in_list = (await client.get(f"/api/v1/jobs/{run['job_id']}/runs")).json()["runs"][0]
    assert in_list["artifacts"] == run["artifacts"]


async def test_download_is_an_attachment_that_no_browser_runs(client: httpx2.AsyncClient) -> None:
    run = await ended(client, LEAVES)

    answer = await client.get(f"/api/v1/runs/{run['id']}/artifacts/a/%C3%BC%20report.html")
    assert (answer.status_code, answer.text) == (200, REPORT)
    headers = answer.headers
    assert headers["Content-Length"] == str(len(REPORT.encode()))
    digest = hashlib.sha256(REPORT.encode())
    assert headers["Repr-Digest"] == f"sha-256=:{b64encode(digest.digest()).decode()}:"
    assert headers["Content-Disposition"] == (
        "attachment; filename=\"_ report.html\"; filename*=UTF-8''%C3%BC%20report.html"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox")


@pytest.mark.parametrize(
    ("requested", "status", "body", "content_range"),
    [
        ("bytes=0-3", 206, "<scr", "bytes 0-3/28"),
        ("bytes=25-", 206, "ü\n", "bytes 25-27/28"),
        ("bytes=-3", 206, "ü\n", "bytes 25-27/28"),
        ("bytes=0-999", 200, REPORT, None),
        ("bytes=28-", 416, "", "bytes */28"),
        ("bytes=5-2", 416, "", "bytes */28"),
        ("bytes=0-1,3-4", 200, REPORT, None),
        ("lines=1-2", 200, REPORT, None),
    ],
)
async def test_range_is_answered(
    client: httpx2.AsyncClient, requested: str, status: int, body: str, content_range: str | None
) -> None:
    run = await ended(client, LEAVES)

    path = f"/api/v1/runs/{run['id']}/artifacts/a/ü report.html"
    answer = await client.get(path, headers={"Range": requested})
    assert (answer.status_code, answer.text, answer.headers.get("Content-Range")) == (status, body, content_range)


@pytest.mark.parametrize("name", ["none", "../../jobs", "a/..%2f..%2fx", "a"])
async def test_unknown_name_is_not_found(client: httpx2.AsyncClient, name: str) -> None:
    run = await ended(client, LEAVES)
    url = f"http://localhost/api/v1/runs/{run['id']}/artifacts/"

    answer = await client.get(url + name.replace("..", "%2e%2e"))
    assert answer.status_code == 404
    assert (await client.get("/api/v1/runs/999999/artifacts")).status_code == 404


async def test_failed_run_keeps_its_artifacts(client: httpx2.AsyncClient) -> None:
    run = await ended(client, f"{LEAVES}; exit 3")

    assert (run["status"], run["exit_code"], len(run["artifacts"])) == ("failed", 3, 1)


async def test_last_attempt_counts(client: httpx2.AsyncClient) -> None:
    script = "echo $SCHEDULER_ATTEMPT > $SCHEDULER_ARTIFACTS/$SCHEDULER_ATTEMPT; [ $SCHEDULER_ATTEMPT = 2 ]"
    run = await ended(client, script, retry_policy={"max_retries": 1, "retry_delay": 0})

    assert (run["status"], [each["name"] for each in run["artifacts"]]) == ("success", ["2"])
    listed = (await client.get(f"/api/v1/runs/{run['id']}/artifacts")).json()["artifacts"]
    assert [each["name"] for each in listed] == ["2"]


async def test_message_names_what_is_left_out(client: httpx2.AsyncClient) -> None:
    script = "cd $SCHEDULER_ARTIFACTS; ln -s /etc/passwd link; truncate -s 2M large; echo x > ok"
    run = await ended(client, script, limits={"artifacts_mb": 1})

    assert (run["status"], run["artifacts"]) == ("success", [{"name": "ok", "size": 2}])
    assert 'artifact "link" is left out: it is a symbolic link' in run["message"]
    assert 'artifact "large" is left out: it has 2097152 bytes, more than limits.artifacts_mb' in run["message"]
