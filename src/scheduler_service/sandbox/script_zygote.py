"""The zygote for scripts and programs. It starts when a sandbox has more of them to run than the one of its trial run.

It has no libraries, because a fork costs what it copies. But it takes 10 MB, and many services never run a script. So
the first script of a sandbox, which is the trial run at its start, is forked from the zygote for Python code. So are
those that come until this zygote is ready.
"""

from __future__ import annotations

import asyncio

from scheduler_service.sandbox.zygote_process import ZygoteProcess


class ScriptZygote:
    """Chooses between a zygote for scripts, which it starts and stops, and one for Python code, if there is such."""

    def __init__(self, own: ZygoteProcess, other: ZygoteProcess | None) -> None:
        self._own = own
        self._other = other
        self._setup = ("", "")
        self._is_first = True
        self._start: asyncio.Task[None] | None = None

    async def start(self, mountpoint: str, cgroups: str) -> None:
        """Note what the zygote needs at its start; see `ZygoteProcess.start`. Start it if there is no other one."""
        self._setup = (mountpoint, cgroups)
        self._is_first = True
        if self._other is None:
            await self._own.start(mountpoint, cgroups)

    def take(self) -> ZygoteProcess:
        """Return the zygote for the next script. Start the own one if this is not the first script."""
        if self._other is None:
            return self._own
        if self._start is None and not self._is_first:
            self._start = asyncio.create_task(self._own.start(*self._setup))
        self._is_first = False
        if self._start is None or not self._start.done():
            return self._other
        if self._start.exception() is not None:
            self._start = None  # the next script tries it again
            return self._other
        return self._own

    async def stop(self) -> None:
        """End the zygote and its supervisors; idempotent."""
        if self._start is not None:
            await asyncio.wait([self._start])
            self._start = None
        await self._own.stop()
