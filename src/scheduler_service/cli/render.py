"""How answers look: tables and pairs for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from textwrap import indent
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scheduler_service.cli.text import printable

NOTHING = "-"
_STYLES = {
    "active": "green", "success": "green",
    "running": "cyan", "queued": "blue", "retrying": "yellow",
    "failed": "red", "missed": "magenta",
    "paused": "yellow", "cancelled": "yellow", "skipped": "yellow", "finished": "dim",
}  # fmt: skip
# Wider than any line: where nobody looks at a screen, a cell is never cut or folded.
_UNBOUNDED_WIDTH = 1_000_000


def show_json(document: Any) -> None:
    """Write a document as the API gave it; characters beyond ASCII are escaped, so that none can act on a terminal."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write aligned columns under a header; on a terminal cells fold within their column, elsewhere no line breaks."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column == "ID" else "left")
    for row in rows:
        table.add_row(*map(cell, row))
    _console().print(table)


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
    """Say how much of a list is on the page, where that is not all of it."""
    if shown < answer["total"]:
        note(f"page {answer['page']}: {shown} of {answer['total']}; others with --page and --size")


def line(text: str) -> None:
    """Write one line of output."""
    sys.stdout.write(f"{printable(text)}\n")


def note(text: str) -> None:
    """Tell something to the person at the terminal, beside the output proper."""
    sys.stderr.write(f"{printable(text)}\n")


def instant(value: str | None) -> str:
    """Give an instant of the API to the second, in UTC as it came."""
    return NOTHING if value is None else f"{datetime.fromisoformat(value):%Y-%m-%dT%H:%M:%S}Z"


def seconds(value: float | None) -> str:
    """Give a span, short."""
    return NOTHING if value is None else f"{value:.3f}s"


def cell(value: Any) -> Text:
    """Give a value as text that is no markup and holds no control character."""
    text = _words(value)
    return Text(printable(text), style=_STYLES.get(text, ""))


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


def _console() -> Console:
    width = None if sys.stdout.isatty() else _UNBOUNDED_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)
