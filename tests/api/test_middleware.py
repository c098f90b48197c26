"""What the middleware does for every request: ids, headers, one log line."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import structlog
from fastapi import FastAPI
from tests.api.conftest import SHARED, create
from tests.database_fixtures import SHARED_ON_SQLITE

pytestmark = [SHARED, SHARED_ON_SQLITE]


@pytest.mark.parametrize("request_id", ["a", "A-b_c.9", "x" * 128])
async def test_valid_request_id_is_returned(client: httpx2.AsyncClient, request_id: str) -> None:
    answer = await client.get("/health/live", headers={"X-Request-ID": request_id})

    assert answer.headers["X-Request-ID"] == request_id


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a b", "a\u00e4", "a;b", '{"a":1}', "a\tb"])
async def test_request_gets_a_new_id_when_its_own_is_invalid(client: httpx2.AsyncClient, request_id: str) -> None:
    answers = [
        await client.get("/health/live", headers={b"X-Request-ID": request_id.encode("latin-1")}) for _ in range(2)
    ]

    first, second = (answer.headers["X-Request-ID"] for answer in answers)
    assert len(first) == 32
    assert first != second


@pytest.mark.parametrize(
    "path", ["/", "/health", "/docs", "/docs/assets/docs.js", "/openapi.json", "/api/v1/jobs", "/api/v1/nothing"]
)
async def test_every_answer_has_security_headers(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/health", "/api/v1/jobs", "/api/v1/jobs/999999", "/api/v1/nothing"])
async def test_every_document_ends_with_a_newline(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.content.endswith(b"}\n")
    assert answer.headers["Content-Length"] == str(len(answer.content))


async def test_answers_may_not_be_cached(client: httpx2.AsyncClient) -> None:
    job = await create(client)

    assert (await client.get("/api/v1/jobs")).headers["Cache-Control"] == "no-store"
    assert (await client.get(f"/api/v1/jobs/{job['id']}")).headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["/health/live", "/api/v1/jobs", "/openapi.json", "/docs/assets/docs.js"])
async def test_head_is_answered_as_get_is(client: httpx2.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)

    assert head.status_code == get.status_code == 200
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


@pytest.mark.parametrize(
    ("method", "path", "line"),
    [
        ("GET", "/api/v1/jobs/4711", {"route": "/api/v1/jobs/{job_id}", "status": 404}),
        ("GET", "/api/v1/jobs?q=secret", {"route": "/api/v1/jobs", "status": 200}),
        ("PUT", "/api/v1/jobs", {"route": "/api/v1/jobs", "status": 405}),
        ("GET", "/api/v1/jobs?what=1", {"route": "/api/v1/jobs", "status": 422}),
        ("GET", "/nothing%0Aforged", {"route": None, "status": 404}),
    ],
)
async def test_each_request_is_logged_on_one_line(
    client: httpx2.AsyncClient, method: str, path: str, line: dict[str, Any]
) -> None:
    with structlog.testing.capture_logs() as logs:
        await client.request(method, path)

    (logged,) = (log for log in logs if log["event"] == "request_finished")
    assert logged.pop("duration_ms") > 0
    assert logged.pop("path") == httpx2.URL(path).path
    assert logged == {"event": "request_finished", "log_level": "info", "method": method, **line}
    assert type(logged["status"]) is int


async def test_failed_request_is_logged_as_500(
    app: FastAPI, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(app.state.service.jobs), "get", fail)
    with structlog.testing.capture_logs() as logs:
        await client.get("/api/v1/jobs/1")

    assert [log["status"] for log in logs if log["event"] == "request_finished"] == [500]


async def test_probes_are_logged_at_debug(client: httpx2.AsyncClient) -> None:
    with structlog.testing.capture_logs() as logs:
        await client.get("/health/live")

    assert [log["log_level"] for log in logs] == ["debug"]


async def test_client_may_disconnect_while_it_sends(app: FastAPI, client: httpx2.AsyncClient) -> None:
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": b"{", "more_body": True}]
    headers = [(name.lower(), value) for name, value in client.headers.raw] + [(b"host", b"localhost")]
    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/jobs", "raw_path": b"/api/v1/jobs", "query_string": b"",
        "root_path": "", "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1), "server": None,
        "headers": headers,
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(_: object) -> None:
        """Nobody hears it."""

    with structlog.testing.capture_logs() as logs:
        await app(scope, receive, send)

    assert [(log["log_level"], log["status"]) for log in logs] == [("info", 499)]


async def test_trailing_slash_is_404_without_a_redirect(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/jobs/", headers={"Host": "elsewhere.example"})

    assert answer.status_code == 404
    assert "Location" not in answer.headers
