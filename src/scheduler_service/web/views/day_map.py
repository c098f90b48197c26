"""The ledger by days of a zone: a line for each week, which begins on Monday."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_service.web.views.cells import NOTHING, Counts
from scheduler_service.web.views.grid import GAP, Cell, Grid, Line, line_y, newest_end
from scheduler_service.web.views.ledger_span import midnight

WIDTH = 44
STEP = WIDTH + GAP
NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOUR, _DAY, _HOURS = timedelta(hours=1), timedelta(days=1), 24


def day_map(
    begin: datetime,
    end: datetime,
    zone: ZoneInfo,
    cells: Mapping[datetime, Counts],
    now: datetime,
    is_owed: Callable[[datetime, datetime], bool] = lambda _begin, _end: True,
) -> Grid:
    """Return the map of the days that have a part from `begin` to before `end`. `cells` has them by their midnight."""
    by_week: dict[date, list[date]] = {}
    day, last = begin.astimezone(zone).date(), (end - timedelta.resolution).astimezone(zone).date()
    while day <= last:
        by_week.setdefault(day - day.weekday() * _DAY, []).append(day)
        day += _DAY
    lines = tuple(
        Line(
            monday.strftime("%d %b"),
            line_y(number),
            tuple(_cell(day, line_y(number), zone, cells, is_owed) for day in days),
        )
        for number, (monday, days) in enumerate(by_week.items())
    )
    columns = tuple((name, number * STEP) for number, name in enumerate(NAMES))
    return Grid(lines, len(NAMES) * STEP, line_y(len(lines)), columns, newest_end(lines, now))


def _cell(
    day: date,
    y: int,
    zone: ZoneInfo,
    cells: Mapping[datetime, Counts],
    is_owed: Callable[[datetime, datetime], bool],
) -> Cell:
    begin, end = midnight(day, zone), midnight(day + _DAY, zone)
    hours = (end - begin) // _HOUR
    return Cell(
        begin,
        day.strftime("%a %d %b"),
        day.weekday() * STEP,
        y,
        WIDTH,
        cells.get(begin, NOTHING),
        is_owed(begin, end),
        until=end,
        hours=None if hours == _HOURS else hours,
    )
