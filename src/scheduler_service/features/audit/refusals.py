"""The limit of refused attempts that are stored."""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_A_MINUTE = 60
_WINDOW_SECONDS = 60.0


class RefusalLimit:
    """Admits up to MAX_A_MINUTE refused attempts in each minute, and counts the others."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began_at = monotonic()
        self._admitted = 0
        self._left_out = 0

    def admit(self) -> int | None:
        """Return how many attempts were left out since the last admitted one, or None to leave this one out, too."""
        now = self._monotonic()
        if now - self._began_at >= _WINDOW_SECONDS:
            self._began_at, self._admitted = now, 0
        if self._admitted >= MAX_A_MINUTE:
            self._left_out += 1
            return None
        self._admitted += 1
        left_out, self._left_out = self._left_out, 0
        return left_out
