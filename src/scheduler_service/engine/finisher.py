"""Writes the ends of runs, together with those that wait at the same time.

Theory of operation. The first end is written at once. Ends that arrive during the write wait for its commit, and then
share the next one. So an end never waits for company, and busy slots share the cost of commits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from scheduler_service.errors import UnavailableError
from scheduler_service.storage import finishing
from scheduler_service.storage.database import Database
from scheduler_service.storage.finishing import Ending

MAX_BATCH = 100


class Finisher:
    """Ends runs under their leases, one transaction at a time."""

    def __init__(self, database: Database) -> None:
        self._direct = database.direct()
        self._waiting: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def finish(self, ending: Ending) -> bool:
        """End a run. Return False if the lease is lost. Raise `UnavailableError` if the database is unavailable."""
        waiting = _Waiting(ending)
        self._waiting.append(waiting)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await waiting.won

    async def _write_all(self) -> None:
        try:
            while batch := self._take():
                await self._write(batch)
        finally:
            self._writing = None

    def _take(self) -> list[_Waiting]:
        """Take ends that one statement can write; of one job only a single one, or plain ones."""
        taken: list[_Waiting] = []
        is_plain_of: dict[int, bool] = {}
        for waiting in list(self._waiting)[:MAX_BATCH]:
            job_id, is_plain = waiting.ending.claimed.job.id, waiting.ending.is_plain
            if job_id not in is_plain_of or (is_plain_of[job_id] and is_plain):
                is_plain_of[job_id] = is_plain
                taken.append(waiting)
        for waiting in taken:
            self._waiting.remove(waiting)
        return taken

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        endings = [waiting.ending for waiting in batch]
        try:
            won = await self._direct.write(lambda connection: finishing.finish_all(connection, endings))
        except UnavailableError as error:
            _fail(batch, error)
        except Exception as error:  # noqa: BLE001 (of one of them: it must not fail the others)
            if len(batch) == 1:
                _fail(batch, error)
            else:
                for waiting in batch:
                    await self._write([waiting])
        else:
            for waiting in batch:
                if not waiting.won.done():
                    waiting.won.set_result(waiting.ending.claimed.run.id in won)


class _Waiting:
    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        self.won: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.won.done():
            waiting.won.set_exception(error)
