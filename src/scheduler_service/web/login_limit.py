"""Limits how often a network may send wrong keys."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_WRONG_KEYS = 5
WINDOW_SECONDS = 60.0
_MAX_NETWORKS = 10_000


class LoginLimit:
    """Refuses a network that sent MAX_WRONG_KEYS wrong keys within a minute. Counts are of this process.

    A network is an address, or those of IPv6 that one host can have: see `network_of`.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def wait_seconds(self, network: str) -> float:
        """Return how long a network has to wait before its next try; 0 if it may try now."""
        recent = self._recent(network)
        if len(recent) < MAX_WRONG_KEYS:
            return 0.0
        return recent[-MAX_WRONG_KEYS] + WINDOW_SECONDS - self._monotonic()

    def note_wrong(self, network: str) -> None:
        """Count a wrong key."""
        self._wrong[network] = [*self._recent(network), self._monotonic()]
        self._wrong.move_to_end(network)
        if len(self._wrong) > _MAX_NETWORKS:
            self._wrong.popitem(last=False)

    def _recent(self, network: str) -> list[float]:
        since = self._monotonic() - WINDOW_SECONDS
        return [at for at in self._wrong.get(network, ()) if at > since]
