"""Terminal output as pieces of text with a class each.

Colours and styles of ECMA-48 (the final byte `m`) become classes. Every other escape sequence and control character is
dropped: it could only move a cursor that a page does not have, or speak to a terminal that is not there. A carriage
return keeps what follows it, as a terminal would show a progress bar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

Piece = tuple[str, str]
"""A text and its class, which may be empty."""

_SEQUENCE = re.compile(
    r"\x1b\[(?P<sgr>[0-9;:]*)m"
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"  # other control sequences, also one that the end of the text cuts
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # strings for the terminal, such as titles and links
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_COLOURS = {**{30 + n: n for n in range(8)}, **{90 + n: 8 + n for n in range(8)}}
_CHANGES: Mapping[int, Mapping[str, Any]] = {
    1: {"is_bold": True},
    2: {"is_dim": True},
    4: {"is_underlined": True},
    22: {"is_bold": False, "is_dim": False},
    24: {"is_underlined": False},
    39: {"colour": None},
}
_EXTENDED, _PALETTE, _TRUE_COLOUR, _NAMED_COLOURS = (38, 48), 5, 2, 16


@dataclass(frozen=True, slots=True)
class Style:
    """The style that a terminal would write in. It lasts from line to line."""

    colour: int | None = None
    is_bold: bool = False
    is_dim: bool = False
    is_underlined: bool = False

    @property
    def css(self) -> str:
        """Return the classes of the style."""
        names = ("" if self.colour is None else f"c{self.colour}", "cb" * self.is_bold, "cd" * self.is_dim)
        return " ".join(name for name in (*names, "cu" * self.is_underlined) if name)


def pieces_of(line: str, style: Style) -> tuple[tuple[Piece, ...], Style]:
    """Return the pieces of a line without its end, and the style after it."""
    *overwritten, last = line.rstrip("\r").split("\r")
    for part in overwritten:
        *_, (_, style) = _split(part, style)
    found: list[Piece] = []
    for text, part_style in _split(last, style):
        style = part_style
        if text:
            found.append((text, style.css))
    return tuple(found), style


def _split(line: str, style: Style) -> Iterator[tuple[str, Style]]:
    """Yield texts between sequences, with the style of each. The last one may be empty."""
    start = 0
    for match in _SEQUENCE.finditer(line):
        yield line[start : match.start()], style
        start = match.end()
        if match["sgr"] is not None:
            style = _restyled(style, match["sgr"])
    yield line[start:], style


def _restyled(style: Style, parameters: str) -> Style:
    codes = iter(int(code or 0) for code in re.split("[;:]", parameters[:100]))
    for code in codes:
        if code in _EXTENDED:
            colour = _extended(codes)
            style = replace(style, colour=colour) if code == _EXTENDED[0] else style
        else:
            style = _with_code(style, code)
    return style


def _extended(codes: Iterator[int]) -> int | None:
    """Return a colour of the palette if it is one of the named ones. True colours have no class."""
    kind = next(codes, 0)
    values = [next(codes, 0) for _ in range({_PALETTE: 1, _TRUE_COLOUR: 3}.get(kind, 0))]
    return values[0] if kind == _PALETTE and values[0] < _NAMED_COLOURS else None


def _with_code(style: Style, code: int) -> Style:
    if code in _COLOURS:
        return replace(style, colour=_COLOURS[code])
    if code in _CHANGES:
        return replace(style, **_CHANGES[code])
    return Style() if code == 0 else style
