"""The next hour: the minutes in which jobs are due, and which of them are crowded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.upcoming import DueMinute

WIDTH, HEIGHT = 600, 48
MINUTES = 60
SHOWN, SHOWN_CROWDED = 6, 3
_MINUTE, _GAP = timedelta(minutes=1), 2


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute with its bar. `due` is the filter of the jobs, as the list of jobs has it in its address."""

    count: DueMinute
    x: float
    width: float
    height: float
    is_crowded: bool
    has_begun: bool
    due: str


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The minutes of the next hour. `shown` are the first and the most crowded ones, `more` counts the others."""

    minutes: tuple[Minute, ...]
    shown: tuple[Minute, ...]
    more: int
    crowded: int


def upcoming(counts: Sequence[DueMinute], begin: datetime, slots: int) -> Upcoming:
    """Return the minutes from `begin` on. One is crowded if more jobs are due in it than there are slots."""
    most = max((each.jobs for each in counts), default=1)
    width = WIDTH / MINUTES
    minutes = tuple(
        Minute(
            each,
            x=round(max(0.0, (each.at - begin) / _MINUTE) * width, 1),
            width=width - _GAP,
            height=round(max(4.0, each.jobs / most * HEIGHT), 1),
            is_crowded=each.jobs > max(1, slots),
            has_begun=each.at <= begin,
            due=f"{iso8601(each.at)}/{iso8601(each.at + _MINUTE)}",
        )
        for each in counts
    )
    crowded = sorted((each for each in minutes if each.is_crowded), key=lambda each: -each.count.jobs)
    chosen = {each.count.at for each in (*minutes[:SHOWN], *crowded[:SHOWN_CROWDED])}
    shown = tuple(each for each in minutes if each.count.at in chosen)
    return Upcoming(minutes, shown, len(minutes) - len(shown), len(crowded))
