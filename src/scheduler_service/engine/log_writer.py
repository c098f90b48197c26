"""Writes a run's output from the sandbox to its log.

Theory of operation. `take` collects bytes and `_flush` appends them in pieces under the attempt's lease, so a stale
attempt cannot write. The last piece is left to the settlement: the whole log of most runs is written with their end.
`take` waits if much output is pending; the sandbox then stops reading, and the program blocks.
Each piece is written at its byte position, so a repeated write after a lost answer adds nothing. Secrets are masked
before anything else, so nothing behind the mask has ever seen them.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
from typing import Self

from scheduler_service.domain.masking import Masker
from scheduler_service.engine.loop import until_available
from scheduler_service.engine.worker_session import AttemptHandle
from scheduler_service.storage import logs
from scheduler_service.storage.database import Database
from scheduler_service.storage.logs import LogPiece

FLUSH_SECONDS = 0.2
FLUSH_BYTES = 64 * 1024
TAIL_BYTES = 1024 * 1024


class LeaseLostError(Exception):
    """This worker has lost the attempt. Output since then is not stored."""


class LogWriter:
    """Collects output and writes it to the log in pieces, at least every FLUSH_SECONDS.

    The log is valid UTF-8: invalid bytes become U+FFFD, and no character is split between pieces. Use it with `async
    with`. The end of the block leaves the rest in `AttemptHandle.rest`, and raises `LeaseLostError` if the lease
    is lost.
    """

    def __init__(
        self,
        database: Database,
        handle: AttemptHandle,
        heading: bytes = b"",
        at_byte: int = 0,
        masker: Masker | None = None,
    ) -> None:
        """Write under the attempt's lease, and interrupt the attempt if the lease is lost.

        `heading` is written before the first output; an attempt that never starts leaves none. `at_byte` is the current
        length of the log. `masker` None masks nothing.
        """
        self._database = database
        self._heading = heading
        self._at_byte = at_byte
        self._attempted = handle
        self._masked = (masker or Masker()).stream()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = bytearray()
        self._tail = bytearray()
        self._writing = asyncio.Lock()
        self._ended = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start the periodic flush after the first period, which most runs do not reach."""
        self._start = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._start_flushing)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave the rest to the settlement, unless it is large."""
        self._keep(self._decoder.decode(self._masked.finish(), final=True))
        self._start.cancel()
        self._ended.set()
        if self._flushing is not None:
            await self._flushing
        if len(self._pending) >= FLUSH_BYTES:
            await self._flush()
        self._attempted.rest = LogPiece(self._at_byte, bytes(self._pending))

    async def write_rest(self) -> None:
        """Write what the settlement would write. Call it if the settlement comes much later."""
        await self._flush()
        self._attempted.rest = LogPiece()

    def write_heading(self) -> None:
        """Write the heading, unless output has already done so."""
        heading, self._heading = self._heading, b""
        self._pending += heading

    async def take(self, data: bytes) -> None:
        """Add output. Wait for the database if much output is pending."""
        self.write_heading()
        self._keep(self._decoder.decode(self._masked.take(data)))
        if len(self._pending) >= FLUSH_BYTES:
            await self._flush()

    @property
    def tail(self) -> str:
        """Return the last bytes of the output, at most TAIL_BYTES."""
        return self._tail.decode("utf-8", "replace")

    def _start_flushing(self) -> None:
        self._flushing = asyncio.create_task(self._flush_regularly())

    async def _flush_regularly(self) -> None:
        try:
            while not self._ended.is_set():
                await self._flush()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_SECONDS):
                        await self._ended.wait()
        except LeaseLostError:
            self._attempted.interrupt()
            raise

    async def _flush(self) -> None:
        async with self._writing:
            data = bytes(self._pending)
            self._pending.clear()
            if data:
                await until_available(lambda: self._append(data), run_id=self._attempted.lease.run_id)
                self._at_byte += len(data)

    def _keep(self, text: str) -> None:
        data = text.encode()
        self._pending += data
        self._tail += data
        del self._tail[:-TAIL_BYTES]

    async def _append(self, data: bytes) -> None:
        async with self._database.write() as connection:
            if not await logs.append(connection, self._attempted.lease, data, self._at_byte):
                raise LeaseLostError
