"""A drawing of the ledger as lines of cells. Lines have their labels beside them, in a drawing that stays in sight."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.run_state import Reason
from scheduler_service.web.views.cells import Counts

SIZE, GAP = 26, 3
STEP = SIZE + GAP
HEAD_HEIGHT = 18
_LARGE = 1000


@dataclass(frozen=True, slots=True)
class Cell:
    """An hour, a day or an instant: its place, its clock time, and what became of its instants.

    `until` is the end of a cell that is no hour; that of an instant is the instant itself. `hours` is the length of a
    day that has not 24. `job_name` and `reason` belong to an instant.
    """

    at: datetime
    clock: str
    x: int
    y: int
    width: int
    counts: Counts
    is_owed: bool
    until: datetime | None = None
    hours: int | None = None
    job_name: str | None = None
    reason: Reason | None = None

    @property
    def family(self) -> str:
        """Return the family of colours; `hatched` if nothing was owed."""
        return self.counts.family if self.counts.family != "none" or self.is_owed else "hatched"

    @property
    def number(self) -> str:
        """Return the number of instants that became no run, as short as a cell, or nothing if all did.

        The cell of a single instant needs no number: its colour tells.
        """
        count = 0 if self.until == self.at and self.counts.owed == 1 else self.counts.not_served
        return "" if not count else str(count) if count < _LARGE else "1k+"


@dataclass(frozen=True, slots=True)
class Line:
    """A line: its label, its cells, and the places of hours that do not exist."""

    label: str
    y: int
    cells: tuple[Cell, ...]
    crosses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """The lines, the heads of the columns, and the size of the drawing.

    `newest_x` is where the newest cell that is not to come ends: a narrow screen shows this place first.
    """

    lines: tuple[Line, ...]
    width: int
    height: int
    columns: tuple[tuple[str, int], ...]
    newest_x: int

    @property
    def first(self) -> datetime | None:
        """Return the instant of the only cell that the tab key reaches, or None without cells."""
        return next((line.cells[0].at for line in self.lines if line.cells), None)


def line_y(number: int) -> int:
    """Return the upper edge of a line."""
    return HEAD_HEIGHT + number * STEP


def newest_end(lines: tuple[Line, ...], now: datetime) -> int:
    """Return the right edge of the newest cell that has begun, or 0."""
    begun = [cell for line in lines for cell in line.cells if cell.at <= now]
    newest = max(begun, key=lambda cell: cell.at, default=None)
    return 0 if newest is None else newest.x + newest.width
