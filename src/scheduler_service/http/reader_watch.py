"""Watches whether a client reads its response."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from scheduler_service.http import connection_limits as limits


class ReaderWatch:
    """Drops a client that reads less than MIN_READ_BYTES in SLOW_READER_SECONDS while a response waits for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, drop: Callable[[], None]) -> None:
        """Watch nobody yet; `drop` closes the connection."""
        self._loop = loop
        self._drop = drop
        self._unread_bytes = 0
        self._check: asyncio.TimerHandle | None = None

    def start(self, transport: asyncio.WriteTransport) -> None:
        """Start to check whether the client of a transport reads, unless that is being checked already."""
        self._unread_bytes = transport.get_write_buffer_size()
        if self._check is None:
            self._check_later(transport)

    def stop(self) -> None:
        """Stop the check."""
        if self._check is not None:
            self._check.cancel()
            self._check = None

    def _check_later(self, transport: asyncio.WriteTransport) -> None:
        self._check = self._loop.call_later(limits.SLOW_READER_SECONDS, self._check_reader, transport)

    def _check_reader(self, transport: asyncio.WriteTransport) -> None:
        unread_bytes, self._check = transport.get_write_buffer_size(), None
        if unread_bytes > self._unread_bytes - limits.MIN_READ_BYTES:
            self._drop()
            return
        self._unread_bytes = unread_bytes
        self._check_later(transport)
