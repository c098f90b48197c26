"""Prints API responses: tables and pairs for people, JSON for programs."""

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
_MIN_CELL_WIDTH = 8
# Wider than any line: outside a terminal, cells are never cut or wrapped.
_UNBOUNDED_WIDTH = 1_000_000
_UNBOUNDED_HEIGHT = 100


def show_json(document: Any) -> None:
    """Print a document as JSON. Non-ASCII characters are escaped, so that none can control the terminal."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, optional: Sequence[str] = (), wide: bool = False
) -> None:
    """Print aligned columns under a header.

    On a terminal every row takes one line. If the rows are too wide, `optional` columns are dropped, the first one
    first, and then the longest cells are cut. Elsewhere, or if `wide` is set, everything is printed.
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
    """Print the fields of one object, one per line. Multi-line text follows its name, indented."""
    console = _console()
    width = max(map(len, pairs)) + 2
    for name, value in pairs.items():
        label = Text(f"{name}:".ljust(width), style="bold")
        if isinstance(value, str) and "\n" in value:
            console.print(label)
            console.print(Text(indent(printable(value.rstrip("\n"), keep="\n\t"), "  ")), soft_wrap=True)
        else:
            console.print(label + cell(value), soft_wrap=True)


def show_position(answer: Mapping[str, Any], shown: int) -> None:
    """Print which part of a list the page shows, unless it shows the whole list."""
    if shown < answer["total"]:
        note(f"page {answer['page']}: {shown} of {answer['total']}; --page and --size show others")


def line(text: str) -> None:
    """Write one line to standard output."""
    sys.stdout.write(f"{printable(text)}\n")


def note(text: str) -> None:
    """Write a line to standard error, for the person at the terminal."""
    sys.stderr.write(f"{printable(text)}\n")


def show_warnings(warnings: Iterable[str]) -> None:
    """Write warnings to standard error, one line each."""
    for warning in warnings:
        note(f"warning: {warning}")


def instant(value: str | None, *, short: bool = False) -> str:
    """Return an instant in UTC to the second. If `short` is true, use the form for people on a terminal."""
    if value is None:
        return NOTHING
    form = "%d %b %H:%M:%SZ" if short and sys.stdout.isatty() else "%Y-%m-%dT%H:%M:%SZ"
    return f"{datetime.fromisoformat(value):{form}}"


def seconds(value: float | None) -> str:
    """Return a duration in a short form."""
    return NOTHING if value is None else f"{value:.3f}s"


def cell(value: Any) -> Text:
    """Return a value as text without markup and control characters."""
    text = _words(value)
    return Text(printable(text), style=_STYLES.get(text, ""))


def _fit(shown: Sequence[tuple[str, list[Text]]], optional: Sequence[str], room: int) -> dict[str, int]:
    """Return the widths of the shown columns so that a row fits into `room` characters."""
    widths = {column: max(cell_len(column), *(text.cell_len for text in cells), 0) for column, cells in shown}
    for column in optional:
        if _line_width(widths) <= room:
            break
        del widths[column]
    while (excess := _line_width(widths) - room) > 0:
        longest = max(widths, key=widths.__getitem__)
        if widths[longest] <= _MIN_CELL_WIDTH:
            break
        widths[longest] = max(_MIN_CELL_WIDTH, widths[longest] - excess, sorted(widths.values())[-2] - 1)
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
    # The height is set because rich otherwise assumes 80 columns for a dumb terminal.
    height = None if is_bounded else _UNBOUNDED_HEIGHT
    return Console(width=width, height=height, highlight=False, markup=False, emoji=False)
