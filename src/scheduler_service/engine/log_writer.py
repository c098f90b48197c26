"""The way of a run's output from the sandbox to its log."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
from typing import Self

from scheduler_service.engine.loop import insist
from scheduler_service.engine.worker_session import AttemptHandle
from scheduler_service.storage import logs
from scheduler_service.storage.database import Database

FLUSH_SECONDS = 0.2
FLUSH_BYTES = 64 * 1024
TAIL_BYTES = 1024 * 1024


class LeaseLostError(Exception):
    """The attempt is no longer this worker's; what it wrote since then is not kept."""


class Output:
    """Gathers output and writes it to the log in pieces, at least every FLUSH_SECONDS while there is any.

    The log holds valid UTF-8 whatever the code wrote: what is none becomes U+FFFD, and no character is cut in two.
    Used as `async with`; all is written when the block ends, which raises `LeaseLostError` where it may not be.
    """

    def __init__(self, database: Database, handle: AttemptHandle, heading: bytes = b"", at_byte: int = 0) -> None:
        """Write under the lease of this attempt, and return the attempt up if the lease is lost.

        `heading` comes before the first output; an attempt that never begins leaves none. The log ends at `at_byte`.
        """
        self._database = database
        self._heading = heading
        self._at_byte = at_byte
        self._attempted = handle
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = bytearray()
        self._tail = bytearray()
        self._writing = asyncio.Lock()
        self._ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Begin to write regularly."""
        self._flushing = asyncio.create_task(self._flush_regularly())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write the rest."""
        self._keep(self._decoder.decode(b"", final=True))
        self._ended.set()
        await self._flushing
        # The regular flush may have been on its way with an earlier piece when the end came.
        await self._flush()

    def begin(self) -> None:
        """Write the heading, if no output has done so."""
        heading, self._heading = self._heading, b""
        self._pending += heading

    async def take(self, data: bytes) -> None:
        """Take output as it comes; waits for the database where much is pending."""
        self.begin()
        self._keep(self._decoder.decode(data))
        if len(self._pending) >= FLUSH_BYTES:
            await self._flush()

    @property
    def tail(self) -> str:
        """The end of the output, TAIL_BYTES at the most."""
        return self._tail.decode("utf-8", "replace")

    async def _flush_regularly(self) -> None:
        try:
            while not self._ended.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_SECONDS):
                        await self._ended.wait()
                await self._flush()
        except LeaseLostError:
            self._attempted.give_up()
            raise

    async def _flush(self) -> None:
        async with self._writing:
            data = bytes(self._pending)
            self._pending.clear()
            if data:
                await insist(lambda: self._append(data), run_id=self._attempted.lease.run_id)
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
