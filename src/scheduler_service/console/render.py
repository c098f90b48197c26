"""How answers look: tables and pairs for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from textwrap import indent
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scheduler_service.telemetry.terminal_text import printable

NOTHING = "-"
_STYLES = {
    "active": "green", "success": "green",
    "running": "cyan", "queued": "blue", "retrying": "yellow",
    "failed": "red", "missed": "magenta",
    "paused": "yellow", "cancelled": "yellow", "skipped": "yellow", "finished": "dim",
}  # fmt: skip
_GAP = 2
_SHORTEST_CELL = 8
# Wider than any line: where nobody looks at a screen, a cell is never cut or folded.
_UNBOUNDED_WIDTH = 1_000_000
_UNBOUNDED_HEIGHT = 100


def show_json(document: Any) -> None:
    """Write a document as the API gave it; characters beyond ASCII are escaped, so that none can act on a terminal."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, optional: Sequence[str] = (), wide: bool = False
) -> None:
    """Write aligned columns under a header.

    A terminal gets one line for each row: if they do not fit, the `optional` columns are left out, the first one first,
    and then the longest cells are cut. Elsewhere, and if `wide` is set, nothing is left out.
    """
    console = _console(bounded=not wide)
    cells_by_row = [list(map(cell, row)) for row in rows]
    shown = [(column, [row[index] for row in cells_by_row]) for index, column in enumerate(columns)]
    widths = _fit(shown, optional, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column, width in widths.items():
        side: Literal["left", "right"] = "right" if column == "ID" else "left"
        table.add_column(column, overflow="ellipsis", no_wrap=True, justify=side, width=width)
    for row in zip(*(cells for column, cells in shown if column in widths), strict=True):
        table.add_row(*row)
    console.print(table, soft_wrap=wide)


def show_pairs(pairs: Mapping[str, Any]) -> None:
    """Write one thing as its fields, one a line; text of several lines stands below its name, indented."""
    console = _console()
    width = max(map(len, pairs)) + 2
    for name, value in pairs.items():
        label = Text(f"{name}:".ljust(width), style="bold")
        if isinstance(value, str) and "\n" in value:
            console.print(label)
            console.print(Text(indent(printable(value.rstrip("\n"), keep="\n\t"), "  ")), soft_wrap=True)
        else:
            console.print(label + cell(value), soft_wrap=True)


def show_place(answer: Mapping[str, Any], shown: int) -> None:
    """Return how much of a list is on the page, where that is not all of it."""
    if shown < answer["total"]:
        note(f"page {answer['page']}: {shown} of {answer['total']}; others with --page and --size")


def line(text: str) -> None:
    """Write one line of output."""
    sys.stdout.write(f"{printable(text)}\n")


def note(text: str) -> None:
    """Write a line to standard error, for the person at the terminal."""
    sys.stderr.write(f"{printable(text)}\n")


def instant(value: str | None, *, short: bool = False) -> str:
    """Return an instant of the API to the second, in UTC as it came; `short`: as people on a terminal read it."""
    if value is None:
        return NOTHING
    form = "%d %b %H:%M:%SZ" if short and sys.stdout.isatty() else "%Y-%m-%dT%H:%M:%SZ"
    return f"{datetime.fromisoformat(value):{form}}"


def seconds(value: float | None) -> str:
    """Return a span, short."""
    return NOTHING if value is None else f"{value:.3f}s"


def cell(value: Any) -> Text:
    """Return a value as text that is no markup and holds no control character."""
    text = _words(value)
    return Text(printable(text), style=_STYLES.get(text, ""))


def _fit(shown: Sequence[tuple[str, list[Text]]], optional: Sequence[str], room: int) -> dict[str, int]:
    """Return the width of each column that is shown, so that a line fits into `room` characters."""
    widths = {column: max(cell_len(column), *(text.cell_len for text in cells), 0) for column, cells in shown}
    for column in optional:
        if _line_width(widths) <= room:
            break
        del widths[column]
    while (excess := _line_width(widths) - room) > 0:
        longest = max(widths, key=widths.__getitem__)
        if widths[longest] <= _SHORTEST_CELL:
            break
        widths[longest] = max(_SHORTEST_CELL, widths[longest] - excess, sorted(widths.values())[-2] - 1)
    return widths


def _line_width(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _words(value: Any) -> str:
    if value in (None, "", [], {}):
        return NOTHING
    match value:
        case bool():
            return "yes" if value else "no"
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _console(*, bounded: bool = True) -> Console:
    is_bounded = bounded and sys.stdout.isatty()
    width = None if is_bounded else _UNBOUNDED_WIDTH
    # The height is given as well, since rich takes a dumb terminal for one of 80 columns otherwise.
    height = None if is_bounded else _UNBOUNDED_HEIGHT
    return Console(width=width, height=height, highlight=False, markup=False, emoji=False)
