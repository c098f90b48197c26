"""A certificate authority for the servers that tests run, and a reverse proxy that speaks TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

import trustme
from anyio.from_thread import start_blocking_portal


@dataclass(frozen=True, slots=True)
class Authority:
    """Clients that have its certificate in SSL_CERT_FILE trust the servers that it signs for."""

    _ca: trustme.CA
    certificate: Path

    @classmethod
    def create(cls, directory: Path) -> Self:
        """Create an authority, and write its certificate into the directory."""
        ca, certificate = trustme.CA(), directory / "certificate.pem"
        ca.cert_pem.write_to_path(certificate)
        return cls(ca, certificate)

    def vouch_for(self, name: str) -> ssl.SSLContext:
        """Return the TLS context of a server with this name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(name).configure_cert(context)
        return context


@contextmanager
def in_front_of(url: str, tls: ssl.SSLContext) -> Iterator[str]:
    """Run a reverse proxy that speaks TLS in front of a service. Yield its URL."""
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
