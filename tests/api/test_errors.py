"""Every error is a problem document (RFC 9457)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from tests.api.conftest import DEFINITION, SHARED, client_of, create
from tests.database_fixtures import SHARED_ON_SQLITE

from scheduler_service.errors import ConfigurationError, UnavailableError

pytestmark = [SHARED, SHARED_ON_SQLITE]

JSON = {"Content-Type": "application/json"}


def problem_of(answer: httpx2.Response) -> dict[str, Any]:
    """Check what all problem documents have, and give this one."""
    problem: dict[str, Any] = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["type"] == "about:blank"
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == answer.request.url.path
    assert problem["correlation_id"] == answer.headers["X-Request-ID"]
    return problem


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": ""}], ids=["with_key", "without"])
async def test_path_with_nul_is_400(client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.get("/api/v1/keys/%00", headers=headers)
    assert answer.status_code == 400
    assert "U+0000" in problem_of(answer)["detail"]


async def test_unknown_path_is_404(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/jbos")

    assert problem_of(answer)["detail"] == "unknown path /api/v1/jbos; /docs lists all paths"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/jobs", "GET, HEAD, POST"),
        ("POST", "/api/v1/jobs/1", "DELETE, GET, HEAD, PATCH, PUT"),
        ("OPTIONS", "/api/v1/jobs/1/run", "POST"),
        ("PUT", "/api/v1/alerts/preview", "POST"),
        ("OPTIONS", "/api/v1/jobs/validate", "POST"),
        ("DELETE", "/health", "GET, HEAD"),
        ("TRACE", "/api/v1/runs/1/logs", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
        ("POST", "/docs/assets/docs.js", "GET, HEAD"),
    ],
)
async def test_wrong_method_is_405_with_all_methods_of_the_path(
    client: httpx2.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)

    assert problem_of(answer)["status"] == 405
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "Expecting property name"),
        (b'{"name": }', "Expecting value: line 1 column 10"),
        (b"name=a", "Expecting value"),
        (b"{} {}", "Extra data"),
        (b'"\xff"', "not valid UTF-8"),
        ('{"name": "ü"}'.encode("utf-16"), "not valid UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"name": "a", "name": "b"}', "the name 'name' appears twice"),
        (b'{"priority": ' + b"9" * 5000 + b"}", "too many digits"),
    ],
)
async def test_invalid_json_is_400(client: httpx2.AsyncClient, body: bytes, detail: str) -> None:
    answer = await client.post("/api/v1/jobs", content=body, headers=JSON)

    assert problem_of(answer)["status"] == 400
    assert detail in answer.json()["detail"]


async def test_json_may_begin_with_a_byte_order_mark(client: httpx2.AsyncClient) -> None:
    body = b'\xef\xbb\xbf{"schedule_expr": "5m"}'

    assert (await client.post("/api/v1/schedules/preview", content=body, headers=JSON)).status_code == 200


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", ""]
)
async def test_other_media_type_is_415(client: httpx2.AsyncClient, media_type: str) -> None:
    headers = {"Content-Type": media_type} if media_type else {}

    answer = await client.post("/api/v1/jobs", content=b'{"name": "a"}', headers=headers)

    assert problem_of(answer)["status"] == 415
    assert answer.headers["Accept"] == "application/json"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "APPLICATION/JSON",
        "application/vnd.a+json",
    ],
)
async def test_every_name_of_the_json_media_type_is_accepted(client: httpx2.AsyncClient, media_type: str) -> None:
    body = b'{"schedule_expr": "5m"}'

    answer = await client.post("/api/v1/schedules/preview", content=body, headers={"Content-Type": media_type})

    assert answer.status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
async def test_compressed_body_is_415(client: httpx2.AsyncClient, coding: str) -> None:
    headers = {**JSON, "Content-Encoding": coding}

    answer = await client.post("/api/v1/jobs", content=b"\x1f\x8b\x08", headers=headers)

    assert problem_of(answer)["status"] == 415
    assert answer.json()["detail"] == "send the body uncompressed, without Content-Encoding"
    assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", '"iso-8859-1"'])
async def test_other_charset_is_415(client: httpx2.AsyncClient, charset: str) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}"}

    answer = await client.post("/api/v1/schedules/preview", content=b'{"schedule_expr": "5m"}', headers=headers)

    assert problem_of(answer)["status"] == 415
    assert answer.json()["detail"] == "send the body in UTF-8, as JSON is (RFC 8259)"


@pytest.mark.parametrize("path", ["/docs", "/api/v1/jobs", "/api/v1/jobs/1", "/health"])
async def test_trailing_slash_is_404_with_the_right_path(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(f"{path}/")

    assert problem_of(answer)["status"] == 404
    assert answer.json()["detail"] == f"unknown path {path}/; write {path}, without the slash at the end"


async def test_unknown_path_with_a_slash_is_404_without_a_hint(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/jbos/")

    assert answer.json()["detail"] == "unknown path /api/v1/jbos/; /docs lists all paths"


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b" " * size


LIMIT = 1024 * 1024


@pytest.mark.parametrize("content", [b" " * (LIMIT + 1), b" " * (5 * LIMIT)])
async def test_body_declared_too_long_is_413(client: httpx2.AsyncClient, content: bytes) -> None:
    answer = await client.post("/api/v1/jobs", content=content, headers=JSON)

    assert problem_of(answer)["status"] == 413
    assert answer.json()["detail"] == "the body exceeds the limit of 1024 KiB (SCHEDULER_MAX_BODY_KB)"


async def test_streamed_body_that_grows_too_long_is_413(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs", content=pieces(LIMIT, 1), headers=JSON)

    assert problem_of(answer)["status"] == 413


async def test_body_of_the_longest_length_is_read(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs", content=pieces(LIMIT - 10, 10), headers=JSON)

    assert problem_of(answer)["status"] == 400


async def test_call_that_the_state_forbids_is_409(client: httpx2.AsyncClient) -> None:
    job = await create(client)
    run = (await client.post(f"/api/v1/jobs/{job['id']}/run")).json()
    await client.delete(f"/api/v1/jobs/{job['id']}")

    answer = await client.post(f"/api/v1/runs/{run['id']}/retry")

    assert problem_of(answer)["status"] == 409


async def test_unavailable_database_is_503_without_details(
    app: FastAPI, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_jobs(app, monkeypatch, UnavailableError("connection to 10.0.0.7 refused"))

    answer = await client.get("/api/v1/jobs/1")

    assert problem_of(answer)["status"] == 503
    assert answer.headers["Retry-After"] == "1"
    assert "10.0.0.7" not in answer.text


@pytest.mark.parametrize("error", [ZeroDivisionError("of code ab12"), ConfigurationError("of host ab12")])
async def test_unexpected_error_is_500_without_details(
    app: FastAPI, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    break_jobs(app, monkeypatch, error)

    answer = await client.get("/api/v1/jobs/1", headers={"X-Request-ID": "look-for-me"})

    assert problem_of(answer)["status"] == 500
    assert answer.json()["correlation_id"] == "look-for-me"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "ab12" not in answer.text


async def test_unexpected_error_reaches_the_server_for_its_log(
    app: FastAPI, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_jobs(app, monkeypatch, ZeroDivisionError())

    async with client_of(app, transport=httpx2.ASGITransport(app)) as strict:
        with pytest.raises(ZeroDivisionError):
            await strict.get("/api/v1/jobs/1")


def break_jobs(app: FastAPI, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(type(app.state.service.jobs), "get", fail)


async def test_detail_names_the_errors_in_one_line(client: httpx2.AsyncClient) -> None:
    body = {**DEFINITION, "name": "", "priority": 99, "a": 1, "b": 2, "c": 3}

    answer = await client.post("/api/v1/jobs", json=body)

    problem = problem_of(answer)
    assert problem["title"] == "Unprocessable Content"
    assert problem["detail"].startswith("name: must not be empty or blank; write at least 1 character; priority: ")
    assert problem["detail"].endswith("; and 2 more")
