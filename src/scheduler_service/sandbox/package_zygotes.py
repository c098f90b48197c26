"""Zygotes of environments that come with a run: started at the first run, and kept warm for the next.

They share a budget of memory. If it is exceeded, those end first whose last run was longest ago. One that has had no
run for a while ends in any case.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from scheduler_service.sandbox.accounting.process_stats import descendants
from scheduler_service.sandbox.contract.environment import PythonEnvironment, Warmth
from scheduler_service.sandbox.zygote_process import ZygoteProcess

_FIELDS = {"smaps_rollup": b"Pss:", "status": b"RssAnon:"}


@dataclass(slots=True)
class _Kept:
    """A zygote, how many runs use it, and the timer of its end while none does."""

    zygote: ZygoteProcess
    users: int = 0
    timer: asyncio.TimerHandle | None = None


class PackageZygotes:
    """Starts, keeps and ends the zygotes of environments with packages."""

    def __init__(self, make: Callable[[PythonEnvironment], ZygoteProcess], warmth: Warmth) -> None:
        """Build zygotes with `make`, and keep them as `warmth` says."""
        self._make = make
        self._warmth = warmth
        self._kept: OrderedDict[PythonEnvironment, _Kept] = OrderedDict()  # the one used last comes last
        self._place = ("", "")
        self._endings: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._kept)

    def start(self, mountpoint: str, cgroups: str) -> None:
        """Note where zygotes mount and make cgroups; see `ZygoteProcess.start`."""
        self._place = (mountpoint, cgroups)

    @asynccontextmanager
    async def used(self, environment: PythonEnvironment) -> AsyncIterator[ZygoteProcess]:
        """Yield the zygote of an environment, which does not end as long as the block runs.

        Raise `SandboxError` if it cannot start.
        """
        is_new = environment not in self._kept
        kept = self._kept.setdefault(environment, _Kept(self._make(environment)))
        self._kept.move_to_end(environment)
        kept.users += 1
        if kept.timer is not None:
            kept.timer.cancel()
        try:
            await kept.zygote.start(*self._place)
            if is_new:
                await self._keep_budget()
            yield kept.zygote
        finally:
            kept.users -= 1
            if not kept.users:
                loop = asyncio.get_running_loop()
                kept.timer = loop.call_later(self._warmth.idle_seconds, self._end_if_idle, environment)

    async def stop(self) -> None:
        """End all."""
        for kept in self._kept.values():
            if kept.timer is not None:
                kept.timer.cancel()
        zygotes = [kept.zygote for kept in self._kept.values()]
        self._kept.clear()
        await asyncio.gather(*self._endings, *(zygote.stop() for zygote in zygotes))

    async def _keep_budget(self) -> None:
        pids = {environment: kept.zygote.pid for environment, kept in self._kept.items()}
        sizes = await asyncio.to_thread(lambda: {key: memory_kb(pid) for key, pid in pids.items() if pid is not None})
        total_kb = sum(sizes.values())
        for environment, size in sizes.items():
            if total_kb > self._warmth.memory_mb << 10 and self._end_if_idle(environment):
                total_kb -= size

    def _end_if_idle(self, environment: PythonEnvironment) -> bool:
        kept = self._kept.get(environment)
        if kept is None or kept.users:
            return False
        if kept.timer is not None:
            kept.timer.cancel()
        del self._kept[environment]
        ending = asyncio.create_task(kept.zygote.stop())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return True


def memory_kb(pid: int) -> int:
    """Return the memory of a process and of all below it. What others share with them counts in part."""
    return sum(_memory_of(each) for each in (pid, *descendants(pid)))


def _memory_of(pid: int) -> int:
    for file, field in _FIELDS.items():  # the first may be hidden from us
        try:
            with open(f"/proc/{pid}/{file}", "rb") as lines:
                return next(int(line.split()[1]) for line in lines if line.startswith(field))
        except (OSError, StopIteration):
            continue
    return 0
