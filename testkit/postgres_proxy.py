"""A proxy of PostgreSQL, whose kinds do something to what passes it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy.engine import make_url


class PostgresProxy(ABC):
    """Passes connections on to the server of a URL."""

    def __init__(self, url: str) -> None:
        self._to = make_url(url)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Yield the URL of the proxy."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        yield self._to.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._to.host, self._to.port)
        with suppress(OSError):
            await self.pass_on(reader, back, there, writer)

    @abstractmethod
    async def pass_on(
        self,
        asked: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        answered: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
    ) -> None:
        """Pass on what the client asks and what the server answers, until both ends are closed."""
