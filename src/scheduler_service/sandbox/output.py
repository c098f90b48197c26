"""The output of a run: read as it comes; up to a cap all is handed on, beyond it the beginning and the end."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress

from scheduler_service.sandbox.contract.spec import OUTPUT_FLOOD_FACTOR, OnOutput

PIPE_BYTES = 1 << 20
LONGEST_END = 64 * 1024
"""So much of the end, or a quarter of the cap if that is less, is held back until the run is over."""


class OutputPipe:
    """One pipe for standard output and error, read without blocking the event loop.

    Of output beyond the cap the middle is left out, with a line that says so: how a run began is known by and large,
    how it ended is what people look for.

    `hung_up` is set when no process holds the write end any more and all was read. Whoever still holds it when the run
    is over does not matter: `end` takes what is there and waits for nobody.
    """

    def __init__(self, output_kb: int, on_output: OnOutput) -> None:
        self._cap = output_kb * 1024
        self._on_output = on_output
        self._seen = 0
        self._held_back = bytearray()
        self._longest_end = min(LONGEST_END, self._cap // 4)
        self._ended = False
        self._wake = asyncio.Event()
        self.flooded = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.read_end, False)
        with suppress(OSError):  # beyond the user's share of pipe memory the default size must do
            fcntl.fcntl(self.read_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    @property
    def truncated(self) -> bool:
        """Whether there was more output than the cap, so that some was left out."""
        return self._seen > self._cap

    def give_to(self, uid: int) -> None:
        """Allow the user `uid` to open the pipe by name, as `/dev/stdout` or `/proc/self/fd/1`."""
        os.fchown(self.write_end, uid, uid)

    def close_write_end(self) -> None:
        """Forget our copy of the write end, once the job has its own."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    async def pump(self) -> None:
        """Hand output on until `end` is called, and then the rest."""
        writers = True
        while not self._ended:
            await self._until_something(writers=writers)
            writers = await self._drain()
            if not writers:
                self.hung_up.set()
        await self._drain()  # what came while an earlier piece was handed on
        await self._hand_on_the_end()

    def end(self) -> None:
        """Make `pump` pass on what the pipe still holds and return: two pipefuls at most, since others may write on."""
        self._ended = True
        self._wake.set()

    def close(self) -> None:
        """Release both ends."""
        self.close_write_end()
        os.close(self.read_end)

    async def _drain(self) -> bool:
        """Hand on at most one pipeful; False means that all writers are gone."""
        left = fcntl.fcntl(self.read_end, fcntl.F_GETPIPE_SZ)
        with suppress(BlockingIOError):
            while left > 0:
                chunk = os.read(self.read_end, left)
                if not chunk:
                    return False
                left -= len(chunk)
                await self._take(chunk)
        return True

    async def _until_something(self, *, writers: bool) -> None:
        """Wait until there is output (which a pipe without writers will not have) or `end` is called."""
        loop = asyncio.get_running_loop()
        if writers:
            loop.add_reader(self.read_end, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            loop.remove_reader(self.read_end)
        self._wake.clear()

    async def _take(self, chunk: bytes) -> None:
        beginning = chunk[: max(0, self._cap - self._longest_end - self._seen)]
        self._seen += len(chunk)
        if self._seen > self._cap * OUTPUT_FLOOD_FACTOR:
            self.flooded.set()
        self._held_back += chunk[len(beginning) :][-self._longest_end :]
        del self._held_back[: -self._longest_end]
        if beginning:
            await self._on_output(beginning)

    async def _hand_on_the_end(self) -> None:
        end = bytes(self._held_back)
        if self.truncated:
            if b"\n" in end[:-1]:
                end = end[end.index(b"\n") + 1 :]  # from the start of a line
            left_out = self._seen - (self._cap - self._longest_end) - len(end)
            end = b"\n[%d bytes of output are left out here]\n" % left_out + end
        if end:
            await self._on_output(end)
