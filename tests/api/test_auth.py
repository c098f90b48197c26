"""API keys, and which hosts the development key is valid for."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from tests.api.conftest import SHARED, client_of, serving, settings_for
from tests.database_fixtures import SHARED_ON_SQLITE

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.http import auth

pytestmark = SHARED
OPEN = ["/", "/docs", "/redoc", "/openapi.json", "/health", "/health/live", "/health/ready", "/api/v1/health"]


def operations(app: FastAPI) -> list[tuple[str, str]]:
    """Return every operation below /api/v1, with numbers in its path."""
    return [
        (method.upper(), path.replace("{job_id}", "1").replace("{run_id}", "1"))
        for path, item in app.openapi()["paths"].items()
        for method in item
        if path.startswith("/api/v1/")
    ]


@SHARED_ON_SQLITE
@pytest.mark.parametrize("key", [None, "", "wrong", DEVELOPMENT_API_KEY + " x", DEVELOPMENT_API_KEY[:-1], "\u00e9"])
async def test_every_operation_answers_401_without_a_valid_key(app: FastAPI, key: str | None) -> None:
    headers = {} if key is None else {"X-API-Key": key.encode("latin-1")}

    async with client_of(app, headers=headers) as client:
        answers = [await client.request(*operation, content=b"{ no json") for operation in operations(app)]

    assert len(answers) >= 17
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/problem+json"}
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"APIKey"}


@SHARED_ON_SQLITE
async def test_refusal_names_the_scope_that_the_key_lacks(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "API_KEY_CALLER", Caller("ann", frozenset({Scope.READ})))

    answer = await client.post("/api/v1/jobs/1/run")

    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
    assert answer.json()["detail"] == "this key lacks the scope run; use a key that has it"


@SHARED_ON_SQLITE
@pytest.mark.parametrize("path", OPEN)
async def test_open_paths_need_no_key(app: FastAPI, path: str) -> None:
    async with client_of(app, headers={}) as client:
        # Just after the start the service may not be ready yet, and says so.
        assert (await client.get(path)).status_code in {200, 503}


@SHARED_ON_SQLITE
@pytest.mark.parametrize("key", [f"{DEVELOPMENT_API_KEY} ", f" \t{DEVELOPMENT_API_KEY}\t"])
async def test_key_is_accepted_with_blanks_around_it(app: FastAPI, key: str) -> None:
    async with client_of(app, headers={"X-API-Key": key}) as client:
        assert (await client.get("/api/v1/jobs")).status_code == 200


async def test_key_may_hold_every_visible_ascii_character(tmp_path: Path) -> None:
    key = "".join(map(chr, range(0x21, 0x7F)))
    settings = settings_for(f"sqlite:///{tmp_path}/scheduler.db", tmp_path, api_key=key)
    async with serving(settings) as app, client_of(app, headers={"X-API-Key": key}) as client:
        assert (await client.get("/api/v1/jobs")).status_code == 200


@SHARED_ON_SQLITE
@pytest.mark.parametrize(
    ("client_host", "name", "status"),
    [
        ("127.0.0.1", "localhost:8000", 200),
        ("127.0.0.1", "127.0.0.1", 200),
        ("::1", "[::1]:8000", 200),
        ("", "localhost", 200),
        ("192.168.1.7", "localhost:8000", 403),
        ("127.0.0.1", "evil.example:8000", 403),
        ("127.0.0.1", "localhost.evil.example", 403),
        ("127.0.0.1", "localhost@evil.example", 400),
        ("127.0.0.1", "", 403),
        ("127.0.0.1", "[", 400),
        ("127.0.0.1", "[::1]x", 400),
    ],
)
async def test_development_key_is_valid_on_the_loopback_only(
    app: FastAPI, client_host: str, name: str, status: int
) -> None:
    transport = httpx2.ASGITransport(app, client=(client_host, 4711))

    async with client_of(app, transport=transport) as client:
        answer = await client.get("/api/v1/jobs", headers={"Host": name})

    assert answer.status_code == status


@SHARED_ON_SQLITE
@pytest.mark.parametrize("client_host", ["", "127.0.0.1"], ids=["socket", "loopback"])
@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("X-Forwarded-For", "93.184.215.14", 403),
        ("X-Forwarded-For", "127.0.0.1, 93.184.215.14", 403),
        ("X-Forwarded-For", "unknown", 403),
        ("X-Forwarded-For", "", 403),
        ("X-Forwarded-For", "127.0.0.1", 200),
        ("X-Real-IP", "93.184.215.14", 403),
        ("X-Real-IP", "::1", 200),
        ("Forwarded", "for=93.184.215.14;proto=https", 403),
        ("Forwarded", 'for="[2606:4700::1111]:4711"', 403),
        ("Forwarded", "for=127.0.0.1", 200),
        ("Forwarded", 'for="[::1]:4711";by=127.0.0.1', 200),
        ("Forwarded", "by=127.0.0.1", 403),
    ],
)
async def test_development_key_is_refused_for_remote_client_of_a_proxy(
    app: FastAPI, client_host: str, header: str, value: str, status: int
) -> None:
    transport = httpx2.ASGITransport(app, client=(client_host, 4711))

    async with client_of(app, transport=transport) as client:
        answer = await client.get("/api/v1/jobs", headers={header: value})

    assert answer.status_code == status


@SHARED_ON_SQLITE
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:3000", 200),
        ("http://[::1]:8000", 200),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("http://localhost@evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
async def test_development_key_is_refused_for_pages_of_other_hosts(
    client: httpx2.AsyncClient, origin: str, status: int
) -> None:
    answer = await client.get("/api/v1/jobs", headers={"Origin": origin})

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("client_host", "name", "status"),
    [("172.18.0.1", "localhost:8000", 200), ("172.18.0.1", "evil.example", 403), ("8.8.8.8", "localhost", 403)],
)
async def test_development_key_is_valid_at_port_published_on_loopback(
    tmp_path: Path, client_host: str, name: str, status: int
) -> None:
    url = f"sqlite:///{tmp_path}/scheduler.db"
    settings = settings_for(url, tmp_path, host="0.0.0.0", published_host="127.0.0.1")  # noqa: S104 (a container's)
    async with serving(settings) as app:
        transport = httpx2.ASGITransport(app, client=(client_host, 4711))

        async with client_of(app, transport=transport) as client:
            answer = await client.get("/api/v1/jobs", headers={"Host": name})

    assert answer.status_code == status


async def test_own_key_is_valid_from_every_host(tmp_path: Path) -> None:
    settings = settings_for(f"sqlite:///{tmp_path}/scheduler.db", tmp_path, api_key="own")
    async with serving(settings) as app:
        transport = httpx2.ASGITransport(app, client=("192.168.1.7", 4711))
        async with client_of(app, transport=transport, headers={"X-API-Key": "own"}) as client:
            answer = await client.get("/api/v1/jobs", headers={"Host": "scheduler.example"})

    assert answer.status_code == 200
