"""Counts what owners with a quota of logs and artifacts use of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from scheduler_service.storage import stored_bytes
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.stored_bytes import ByteCount

INTERVAL = timedelta(seconds=30)
LOOK_SECONDS = 10.0
REST_FACTOR = 20
"""A count of millions of runs takes seconds. It may use a twentieth of a connection's time, so it is repeated later."""


class StoredByteCounter:
    """Counts at an interval. Several dispatchers share the work, because each looks at the time of the latest count."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        default_mb: int | None,
        counts: Sequence[ByteCount],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Count logs, and what `counts` count. `default_mb` is the quota of owners without others; None: no limit."""
        self._database = database
        self._clock = clock
        self._default_mb = default_mb
        self._counts = (stored_bytes.log_bytes, *counts)
        self._monotonic = monotonic

    async def count(self) -> float:
        """Count what owners use if the latest count is too old. Return the seconds until the next call."""
        began, now = self._monotonic(), self._clock.now()
        async with self._database.read() as connection:
            if not await stored_bytes.is_due(connection, self._default_mb, now, INTERVAL):
                return LOOK_SECONDS
            sums = Counter[str]()
            for count in self._counts:
                sums.update(await count(connection, stored_bytes.is_limited(self._default_mb)))
        async with self._database.write() as connection:
            await stored_bytes.replace(connection, sums, now)
        return max(LOOK_SECONDS, REST_FACTOR * (self._monotonic() - began))
