"""A transport that does not close over unread bytes of a request, which would discard its response."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol


class Lingerer(Protocol):
    """What knows whether a request is complete, and reads and drops the rest of one that is not."""

    def is_incomplete(self) -> bool:
        """Return whether bytes of the request are still to come."""

    def start_lingering(self) -> None:
        """Close the sending side, and read and drop what still comes."""


class LingeringTransport:
    """A transport whose `close` waits for the end of the request."""

    def __init__(self, transport: asyncio.Transport, lingerer: Lingerer) -> None:
        self._transport = transport
        self._lingerer = lingerer
        self.write = transport.write
        self.is_closing = transport.is_closing

    def close(self) -> None:
        """Close the connection, or let it linger if its request is incomplete."""
        if self._lingerer.is_incomplete() and not self._transport.is_closing():
            self._lingerer.start_lingering()
        else:
            self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
