"""A proxy of PostgreSQL that counts the statements that pass it, also BEGIN and COMMIT."""

from __future__ import annotations

import asyncio

from testkit.postgres_proxy import PostgresProxy

# Messages of the client that execute a statement: Query and Execute; see the manual of PostgreSQL, section 54.7.
_EXECUTING = b"QE"
_TLS_REQUEST = (80877103).to_bytes(4)
# The size of a message counts itself and not the type before it.
_HEAD_BYTES = 4


class StatementCounter(PostgresProxy):
    """Counts in `count` since the start."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.count = 0

    async def pass_on(
        self,
        asked: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        answered: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
    ) -> None:
        """Pass on everything, and count what the client asks."""
        await asyncio.gather(self._ask(asked, to_server), self._answer(answered, to_client))

    async def _ask(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        pending, is_started = b"", False
        while data := await reader.read(65536):
            pending += data
            while not is_started and len(pending) >= (size := max(8, int.from_bytes(pending[:4], "big"))):
                # Messages before the session starts have no type. After a request for TLS, another one follows.
                is_started, pending = pending[4:8] != _TLS_REQUEST, pending[size:]
            while is_started and len(pending) > max(_HEAD_BYTES, size := int.from_bytes(pending[1:5], "big")):
                self.count += pending[:1] in _EXECUTING
                pending = pending[1 + size :]
            to.write(data)
        to.close()

    async def _answer(self, there: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while data := await there.read(65536):
            to.write(data)
        to.close()
