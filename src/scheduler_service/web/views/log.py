"""The lines of a log with their numbers and attempts.

The section of an attempt begins at the position that the database keeps, never at a marker in the text: a program can
write what a marker looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler_service.domain.records import Attempt
from scheduler_service.web.views.ansi import Piece, Style, pieces_of

_END = b"\n"
_MAX_SHOWN_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `attempt` is the number of the attempt that begins with it, or None."""

    number: int
    pieces: tuple[Piece, ...]
    attempt: int | None = None


def log_lines(data: bytes, first_line: int, first_offset: int, attempts: Sequence[Attempt]) -> list[LogLine]:
    """Return the lines of a part of a log. The part begins with a line and may end within one."""
    begins = sorted((attempt.log_offset, attempt.attempt) for attempt in attempts if attempt.log_offset is not None)
    lines: list[LogLine] = []
    offset, style = first_offset, Style()
    for number, raw in enumerate(_split(data), first_line):
        text = raw.rstrip(_END).decode("utf-8", "replace")
        pieces, style = pieces_of(text[:_MAX_SHOWN_CHARACTERS], style)
        begun = [attempt for at, attempt in begins if offset <= at < offset + len(raw)]
        lines.append(LogLine(number, pieces, begun[-1] if begun else None))
        offset += len(raw)
    return lines


def _split(data: bytes) -> list[bytes]:
    """Return the lines with their ends. Only a line feed ends one."""
    parts = data.split(_END)
    return [part + _END for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
