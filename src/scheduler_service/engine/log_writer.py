"""Writes a run's output from the sandbox to its log.

Theory of operation. `take` collects bytes and `_flush` appends them in pieces under the attempt's lease, so a stale
attempt cannot write. `take` waits if much output is pending; the sandbox then stops reading, and the program blocks.
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

FLUSH_SECONDS = 0.2
FLUSH_BYTES = 64 * 1024
TAIL_BYTES = 1024 * 1024


class LeaseLostError(Exception):
    """This worker has lost the attempt. Output since then is not stored."""


class LogWriter:
    """Collects output and writes it to the log in pieces, at least every FLUSH_SECONDS.

    The log is valid UTF-8: invalid bytes become U+FFFD, and no character is split between pieces. Use it with `async
    with`. The end of the block writes the rest, and raises `LeaseLostError` if the lease is lost.
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

    async def __aenter__(self) -> Self:
        """Start the periodic flush."""
        self._flushing = asyncio.create_task(self._flush_regularly())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write the rest."""
        self._keep(self._decoder.decode(self._masked.finish(), final=True))
        self._ended.set()
        await self._flushing
        # The periodic flush may have been writing an earlier piece when the block ended.
        await self._flush()

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

    async def _flush_regularly(self) -> None:
        try:
            while not self._ended.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_SECONDS):
                        await self._ended.wait()
                await self._flush()
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
