"""The ledger by hours: a line for each day and a column for each hour of the wall clock in a zone.

On a day whose clock is set back, the repeated hour has two half cells. An hour that a clock change removes is a cross.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_service.web.views.cells import NOTHING, Counts
from scheduler_service.web.views.grid import SIZE, STEP, Cell, Grid, Line, line_y, newest_end

HOURS = 24
_HOUR = timedelta(hours=1)


def heat_map(
    begin: datetime,
    end: datetime,
    zone: ZoneInfo,
    cells: Mapping[datetime, Counts],
    now: datetime,
    is_owed: Callable[[datetime, datetime], bool] = lambda _begin, _end: True,
) -> Grid:
    """Return the map of the hours from `begin` to before `end`. `cells` has the hours with instants, in UTC.

    `is_owed` tells whether any instant between two could be owed.
    """
    by_day: dict[date, dict[int, list[datetime]]] = {}
    hour = begin
    while hour < end:
        local = hour.astimezone(zone)
        by_day.setdefault(local.date(), {}).setdefault(local.hour, []).append(hour)
        hour += _HOUR
    lines = tuple(
        _line(day, line_y(number), hours, zone, cells, is_owed) for number, (day, hours) in enumerate(by_day.items())
    )
    columns = tuple((f"{hour:02}", hour * STEP) for hour in range(0, HOURS, 3))
    return Grid(lines, HOURS * STEP, line_y(len(lines)), columns, newest_end(lines, now))


def _line(
    day: date,
    y: int,
    hours: Mapping[int, Sequence[datetime]],
    zone: ZoneInfo,
    cells: Mapping[datetime, Counts],
    is_owed: Callable[[datetime, datetime], bool],
) -> Line:
    drawn = []
    for hour, instants in hours.items():
        width = (SIZE - (len(instants) - 1)) // len(instants)
        for number, at in enumerate(instants):
            clock = at.astimezone(zone).strftime("%a %d %b, %H:%M %Z")
            x = hour * STEP + number * (width + 1)
            drawn.append(Cell(at, clock, x, y, width, cells.get(at, NOTHING), is_owed(at, at + _HOUR)))
    crosses = tuple(hour * STEP for hour in range(HOURS) if _is_removed(day, hour, zone))
    return Line(day.strftime("%a %d %b"), y, tuple(drawn), crosses)


def _is_removed(day: date, hour: int, zone: ZoneInfo) -> bool:
    """Return whether a clock change removes an hour of a day: its wall time does not survive the way over UTC."""
    wall = datetime(day.year, day.month, day.day, hour, 30, tzinfo=zone)
    return wall.astimezone(ZoneInfo("UTC")).astimezone(zone).hour != hour
