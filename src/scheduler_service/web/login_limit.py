"""Limits how often an address may send wrong keys."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_WRONG_KEYS = 5
WINDOW_SECONDS = 60.0
_MAX_ADDRESSES = 10_000


class LoginLimit:
    """Refuses an address that sent MAX_WRONG_KEYS wrong keys within a minute. Counts are of this process."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> float:
        """Return how long an address has to wait before its next try; 0 if it may try now."""
        recent = self._recent(address)
        if len(recent) < MAX_WRONG_KEYS:
            return 0.0
        return recent[-MAX_WRONG_KEYS] + WINDOW_SECONDS - self._monotonic()

    def note_wrong(self, address: str) -> None:
        """Count a wrong key."""
        self._wrong[address] = [*self._recent(address), self._monotonic()]
        self._wrong.move_to_end(address)
        if len(self._wrong) > _MAX_ADDRESSES:
            self._wrong.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self._monotonic() - WINDOW_SECONDS
        return [at for at in self._wrong.get(address, ()) if at > since]
