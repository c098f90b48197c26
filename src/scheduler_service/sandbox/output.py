"""The output of a run, passed on as it comes: all of it up to a cap, beyond that the beginning and the end."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress

from scheduler_service.sandbox.contract.spec import OUTPUT_FLOOD_FACTOR, OnOutput
from scheduler_service.sandbox.kernel.identity import User

PIPE_BYTES = 1 << 20
LONGEST_END = 64 * 1024
"""How much of the end is held back until the run is over, but at most a quarter of the cap."""


class OutputPipe:
    """One pipe for standard output and error, read without blocking the event loop.

    If there is more output than the cap, its middle is left out, with a line that says so: most people look for how a
    run ended.

    `hung_up` is set when no process holds the write end and all output was read. A process that still holds it when the
    run is over is ignored: `end` takes what is there and does not wait.
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

    def give_to(self, user: User) -> None:
        """Allow a user to open the pipe by name, as `/dev/stdout` or `/proc/self/fd/1`."""
        os.fchown(self.write_end, *user)

    def close_write_end(self) -> None:
        """Close our copy of the write end, once the job has its own."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    async def pump(self) -> None:
        """Pass output on until `end` is called, and then the rest."""
        writers = True
        while not self._ended:
            await self._until_something(writers=writers)
            writers = await self._drain()
            if not writers:
                self.hung_up.set()
        await self._drain()  # what came while an earlier piece was passed on
        await self._pass_on_the_end()

    def end(self) -> None:
        """Make `pump` pass on what the pipe still holds and return: two pipefuls at most, since others may write on."""
        self._ended = True
        self._wake.set()

    def close(self) -> None:
        """Release both ends."""
        self.close_write_end()
        os.close(self.read_end)

    async def _drain(self) -> bool:
        """Pass on at most one pipeful. Return False if all writers are gone."""
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

    async def _pass_on_the_end(self) -> None:
        end = bytes(self._held_back)
        if self.truncated:
            if b"\n" in end[:-1]:
                end = end[end.index(b"\n") + 1 :]  # from the start of a line
            left_out = self._seen - (self._cap - self._longest_end) - len(end)
            end = b"\n[%d bytes of output are left out here]\n" % left_out + end
        if end:
            await self._on_output(end)
