"""Cells of the ledger: the family of colours of a number of instants, and in words what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler_service.domain.run_state import RunStatus
from scheduler_service.web.views.status import RUN_STATUSES

NOT_SERVED = frozenset({RunStatus.SKIPPED, RunStatus.MISSED})
_WORST_FIRST = ("bad", "warn", "busy", "calm", "good")


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the instants of a cell. `planned` counts those to come."""

    by_status: Mapping[RunStatus, int]
    planned: int = 0

    @property
    def owed(self) -> int:
        """Return the number of instants that have a row."""
        return sum(self.by_status.values())

    @property
    def not_served(self) -> int:
        """Return the number of instants that became no run."""
        return sum(count for status, count in self.by_status.items() if status in NOT_SERVED)

    @property
    def family(self) -> str:
        """Return the worst family of the instants: `planned` if all are to come, `none` if there are none."""
        families = {RUN_STATUSES[status].family for status, count in self.by_status.items() if count}
        worst = next((family for family in _WORST_FIRST if family in families), None)
        return worst or ("planned" if self.planned else "none")

    @property
    def words(self) -> tuple[tuple[str, int], ...]:
        """Return the words of `status` texts with their numbers, the worst first."""
        listed = [(RUN_STATUSES[status], count) for status, count in self.by_status.items() if count]
        listed.sort(key=lambda each: (_WORST_FIRST.index(each[0].family), each[0].word))
        words = [(status.word, count) for status, count in listed]
        return (*words, ("planned", self.planned)) if self.planned else tuple(words)


def severity_of(family: str) -> int:
    """Return the place of a family of states, 0 for the worst."""
    return _WORST_FIRST.index(family)


NOTHING = Counts({})
