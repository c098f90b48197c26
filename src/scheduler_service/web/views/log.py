"""The lines of a log with their numbers and attempts.

The section of an attempt begins at the position that the database keeps, never at a marker in the text: a program can
write what a marker looks like. At that position, the service itself has written a line that names the attempt. The page
shows it as the heading of the section.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scheduler_service.domain.records import Attempt
from scheduler_service.web.views.ansi import Piece, Style, pieces_of

HEADING = "--- attempt {} ---"
_END = b"\n"
_MAX_SHOWN_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `attempt` is the number of the attempt that begins with it, or None.

    `is_heading` says that the line only names the attempt.
    """

    number: int
    pieces: tuple[Piece, ...]
    attempt: int | None = None
    is_heading: bool = False


def log_lines(data: bytes, first_line: int, first_offset: int, attempts: Sequence[Attempt]) -> list[LogLine]:
    """Return the lines of a part of a log. The part begins with a line and may end within one."""
    begins = sorted(_begins(data, first_offset, attempts))
    lines: list[LogLine] = []
    offset, style = first_offset, Style()
    for number, raw in enumerate(_split(data), first_line):
        text = raw.rstrip(_END).decode("utf-8", "replace")
        pieces, style = pieces_of(text[:_MAX_SHOWN_CHARACTERS], style)
        begun = [attempt for at, attempt in begins if offset <= at < offset + len(raw)]
        heading = HEADING.format(begun[-1]) if begun and begun[-1] > 1 else None
        lines.append(LogLine(number, pieces, begun[-1] if begun else None, text == heading))
        offset += len(raw)
    return lines


def _begins(data: bytes, first_offset: int, attempts: Sequence[Attempt]) -> Iterator[tuple[int, int]]:
    """Yield where each attempt begins, and its number.

    If the attempt before ended within a line, the service has ended that line first.
    """
    for attempt in attempts:
        if (at := attempt.log_offset) is not None:
            ends_a_line = attempt.attempt > 1 and at >= first_offset and data[at - first_offset :][:1] == _END
            yield at + ends_a_line, attempt.attempt


def _split(data: bytes) -> list[bytes]:
    """Return the lines with their ends. Only a line feed ends one."""
    parts = data.split(_END)
    return [part + _END for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
