"""Draws what a page has hundreds of. A macro would take four times as long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from markupsafe import Markup, escape

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.web.texts import text
from scheduler_service.web.views.grid import SIZE, Cell
from scheduler_service.web.views.strip import StripCell
from scheduler_service.web.views.words import grouped


def draw_time(at: datetime, how: str = "relative") -> Markup:
    """Return an instant for the scripts, which show it as `how` says."""
    written = f"{at:%Y-%m-%d %H:%M} UTC"
    return Markup(f'<time datetime="{iso8601(at)}" data-as="{how}">{written}</time>')  # noqa: S704 (no text of others)


def draw_cell(cell: Cell, query: str, *, is_first: bool) -> Markup:
    """Return a cell of the ledger's map, which leads to what is in it. `query` limits that to a job or an owner."""
    until = "" if cell.until is None else f"&amp;to={iso8601(cell.until)}"
    link = f"/ui/ledger/cell?at={iso8601(cell.at)}{until}{escape(query)}"
    said, family, number = escape(said_of(cell)), cell.family, cell.number
    if number:
        place = f'x="{cell.x + cell.width / 2}" y="{cell.y + 18}"'
        number = f'<text class="cell-number on-{family}" {place}>{number}</text>'
    place = f'x="{cell.x}" y="{cell.y}" width="{cell.width}" height="{SIZE}"'
    return Markup(  # noqa: S704 (texts of others are escaped)
        f'<a href="{link}" data-dialog data-cell tabindex="{0 if is_first else -1}" aria-label="{said}">'
        f'<title>{said}</title><rect class="cell cell-{family}" {place} rx="4"/>{number}</a>'
    )


def said_of(cell: Cell) -> str:
    """Return the hour, day or instant of a cell, and in words what became of it."""
    hours = f" ({text('ledger.hours', n=cell.hours)})" if cell.hours else ""
    job = f", {cell.job_name}" if cell.job_name else ""
    became = words_of(cell.counts.words) or text("ledger.nothing" if cell.is_owed else "ledger.not_owed")
    if cell.reason is not None:
        return f"{cell.clock}{hours}{job}: {became} ({text(f'reason.{cell.reason}').lower()})"
    number = cell.number
    not_served = f"{text('ledger.not_served', number=number)}: " if number else ""
    return f"{cell.clock}{hours}{job}: {not_served}{became}"


def words_of(counts: Iterable[tuple[str, int]]) -> str:
    """Return what became of some instants, such as `3 succeeded, 1 failed`."""
    return ", ".join(f"{grouped(n)} {text(f'status.{word}').lower()}" for word, n in counts)


def draw_strip(cells: Sequence[StripCell], *, small: bool = False) -> Markup:
    """Return cells side by side, each of which leads to its run."""
    width, height, kind = (8, 16, " small") if small else (14, 22, "")
    drawn = "".join(
        f'<a href="/ui/runs/{cell.run_id}"><title>{escape(_title_of(cell))}</title>'
        f'<rect class="cell {cell.look}" x="{place * 12 + 1}"/></a>'
        for place, cell in enumerate(cells)
    )
    box = f'viewBox="0 0 {len(cells) * 12} 22" width="{len(cells) * width}" height="{height}"'
    return Markup(  # noqa: S704 (texts of others are escaped)
        f'<div class="strip{kind}" role="group" aria-label="{escape(text("strip.label"))}">'
        f'<svg {box} preserveAspectRatio="none">{drawn}</svg></div>'
    )


def _title_of(cell: StripCell) -> str:
    reason = f": {text(f'reason.{cell.reason}')}" if cell.reason else ""
    return f"{text(f'status.{cell.status.word}')}{reason} · {cell.at:%Y-%m-%d %H:%M:%S} UTC"
