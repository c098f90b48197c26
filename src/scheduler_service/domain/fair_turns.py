"""The memory of a worker about whose runs it began, for claims that are fair to owners.

Theory of operation. A claim prefers the owner with the fewest running runs. Where owners have equally few, they take
turns. Whose turn it is depends on how many runs of others this worker has begun since it began one of the owner. Each
worker remembers that for itself: a shared record would be written by every claim of every worker.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

MAX_OWNERS = 256
"""Owners that a worker remembers. One that it has forgotten counts as if it had waited longest."""


class FairTurns:
    """The owners whose runs a worker has begun, the latest last."""

    def __init__(self) -> None:
        self._begun = 0
        self._turns: dict[str, int] = {}

    def note(self, owners: Iterable[str]) -> None:
        """Note the owners of begun runs, in the order in which the runs began."""
        for owner_id in owners:
            self._begun += 1
            self._turns.pop(owner_id, None)
            self._turns[owner_id] = self._begun
        while len(self._turns) > MAX_OWNERS:
            del self._turns[next(iter(self._turns))]

    def document(self) -> str:
        """Return a JSON object: how many runs ago this worker began one of each owner, at least 1."""
        return json.dumps({owner_id: self._begun - turn + 1 for owner_id, turn in self._turns.items()})
