"""An authority of the tests' own, which vouches for the servers that they run."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import pytest
import trustme
from anyio.from_thread import start_blocking_portal


@dataclass(frozen=True, slots=True)
class Authority:
    """Whoever has its certificate in SSL_CERT_FILE trusts the servers that it vouches for."""

    _ca: trustme.CA
    certificate: Path

    def vouch_for(self, name: str) -> ssl.SSLContext:
        """Return what a server of this name shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(name).configure_cert(context)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA()
    certificate = tmp_path_factory.mktemp("authority") / "certificate.pem"
    ca.cert_pem.write_to_path(certificate)
    return Authority(ca, certificate)


@contextmanager
def in_front_of(url: str, tls: ssl.SSLContext) -> Iterator[str]:
    """Speak TLS in front of a service, as a reverse proxy does; returns the address of that."""
    with start_blocking_portal() as portal:
        server = portal.call(_start, urlsplit(url), tls)
        try:
            yield f"https://localhost:{server.sockets[0].getsockname()[1]}"
        finally:
            portal.call(server.close)


async def _start(service: SplitResult, tls: ssl.SSLContext) -> asyncio.Server:
    async def pass_on(asking: asyncio.StreamReader, answering: asyncio.StreamWriter) -> None:
        reader, writer = await asyncio.open_connection(service.hostname, service.port)
        await asyncio.gather(_copy(asking, writer), _copy(reader, answering))

    return await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=tls)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
