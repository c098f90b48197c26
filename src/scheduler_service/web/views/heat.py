"""The heat map of the ledger: a row for each day and a column for each hour of the wall clock in a zone.

On a day whose clock is set back, the repeated hour has two half cells. An hour that a clock change removes is a cross.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_service.web.views.cells import NOTHING, Counts

HOURS = 24
SIZE, GAP = 26, 3
LABEL_WIDTH, HEAD_HEIGHT = 64, 18
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One hour: its instant in UTC, its clock time, its place, and what became of its instants."""

    at: datetime
    clock: str
    x: int
    y: int
    width: int
    counts: Counts
    is_owed: bool

    @property
    def family(self) -> str:
        """Return the family of colours; `hatched` if nothing was owed."""
        return self.counts.family if self.counts.family != "none" or self.is_owed else "hatched"


@dataclass(frozen=True, slots=True)
class HeatDay:
    """A row: its label, its cells, and the places of hours that do not exist."""

    label: str
    y: int
    cells: tuple[HeatCell, ...]
    crosses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The rows, and the size of the drawing."""

    days: tuple[HeatDay, ...]
    width: int
    height: int
    columns: tuple[tuple[str, int], ...]


def heat_map(
    begin: datetime,
    end: datetime,
    zone: ZoneInfo,
    cells: Mapping[datetime, Counts],
    is_owed: Callable[[datetime], bool] = lambda _at: True,
) -> HeatMap:
    """Return the map of the hours from `begin` to before `end`. `cells` has the hours with instants, in UTC."""
    by_day: dict[date, dict[int, list[datetime]]] = {}
    hour = begin
    while hour < end:
        local = hour.astimezone(zone)
        by_day.setdefault(local.date(), {}).setdefault(local.hour, []).append(hour)
        hour += _HOUR
    days = tuple(
        _day(day, HEAD_HEIGHT + number * (SIZE + GAP), hours, zone, cells, is_owed)
        for number, (day, hours) in enumerate(by_day.items())
    )
    width = LABEL_WIDTH + HOURS * (SIZE + GAP)
    columns = tuple((f"{hour:02}", _x(hour)) for hour in range(0, HOURS, 3))
    return HeatMap(days, width, HEAD_HEIGHT + len(days) * (SIZE + GAP), columns)


def _day(
    day: date,
    y: int,
    hours: Mapping[int, Sequence[datetime]],
    zone: ZoneInfo,
    cells: Mapping[datetime, Counts],
    is_owed: Callable[[datetime], bool],
) -> HeatDay:
    drawn = []
    for hour, instants in hours.items():
        width = (SIZE - (len(instants) - 1)) // len(instants)
        for number, at in enumerate(instants):
            clock = at.astimezone(zone).strftime("%a %d %b, %H:%M %Z")
            x = _x(hour) + number * (width + 1)
            drawn.append(HeatCell(at, clock, x, y, width, cells.get(at, NOTHING), is_owed(at)))
    crosses = tuple(_x(hour) for hour in range(HOURS) if _is_removed(day, hour, zone))
    return HeatDay(day.strftime("%a %d"), y, tuple(drawn), crosses)


def _x(hour: int) -> int:
    return LABEL_WIDTH + hour * (SIZE + GAP)


def _is_removed(day: date, hour: int, zone: ZoneInfo) -> bool:
    """Return whether a clock change removes an hour of a day: its wall time does not survive the way over UTC."""
    wall = datetime(day.year, day.month, day.day, hour, 30, tzinfo=zone)
    return wall.astimezone(ZoneInfo("UTC")).astimezone(zone).hour != hour
