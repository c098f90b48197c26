"""Requests of `http_request` from the sandbox: what a run may reach, at every level that confines."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from testkit.tls import Authority
from tests.sandbox.levels import LEVELS, started
from tests.unit.payloads.http_server import serve

from scheduler_service.payloads import registry
from scheduler_service.sandbox import NOTHING, Access, Destination, Limits, Spec, ZygoteSandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with tempfile.TemporaryDirectory(prefix="authority-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        authority = Authority.create(Path(directory))
        authority.certificate.chmod(0o644)
        yield authority


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=LEVELS)
async def sandbox(request: pytest.FixtureRequest, authority: Authority) -> AsyncIterator[ZygoteSandbox]:
    async with started(request.param, str(authority.certificate)) as sandbox:
        yield sandbox


async def send(
    sandbox: ZygoteSandbox, url: str, access: Access = NOTHING, env: dict[str, str] | None = None, **limits: Any
) -> tuple[int | None, str]:
    """Return the exit code of a request, and its failure or the body of the response."""
    payload = registry.adapter().validate_python({"type": "http_request", "url": url})
    output = bytearray()

    async def collect(data: bytes) -> None:
        output.extend(data)

    spec = Spec(payload.command(), Limits(**limits), env or {}, access, collects=True)
    outcome = await sandbox.run(spec, collect, asyncio.Event())
    assert outcome.collected is not None
    with closing(outcome.collected) as collected:
        failure = payload.failure(output.decode())
        return outcome.exit_code, failure or json.loads(collected.result or "")["body"]


def granting(port: int, **more: Any) -> Access:
    return Access(destinations=(Destination("127.0.0.1/32", port, port),), hosts=(("localhost", "127.0.0.1"),), **more)


async def test_granted_server_is_reached(sandbox: ZygoteSandbox) -> None:
    with serve() as port:
        assert await send(sandbox, f"http://127.0.0.1:{port}/bytes/3", granting(port)) == (0, "xxx")


async def test_granted_server_is_reached_over_tls(sandbox: ZygoteSandbox, authority: Authority) -> None:
    certificate = str(authority.certificate)
    with serve(authority.vouch_for("localhost")) as port:
        access = granting(port, read=(certificate,))
        url = f"https://localhost:{port}/bytes/3"
        assert await send(sandbox, url, access, {"SSL_CERT_FILE": certificate}) == (0, "xxx")


async def test_other_servers_are_refused_with_the_remedy(sandbox: ZygoteSandbox) -> None:
    with serve() as port:
        code, why = await send(sandbox, f"http://127.0.0.1:{port}/", granting(1))
    assert code == 1
    assert f"the network is not granted: the sandbox refused a connection to 127.0.0.1:{port}; set limits.net" in why


async def test_limits_network_opens_no_private_server(sandbox: ZygoteSandbox) -> None:
    with serve() as port:
        code, why = await send(sandbox, f"http://127.0.0.1:{port}/", network=True)
    assert (code, "the network is not granted" in why) == (1, True)


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "http://example.com/", "http://127.0.0.1:80/"])
async def test_run_without_network_says_what_opens_it(sandbox: ZygoteSandbox, url: str) -> None:
    code, why = await send(sandbox, url)
    assert code == 1
    assert "a grant whose connect covers" in why
