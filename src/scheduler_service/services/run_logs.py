"""Reads and searches the log of a run by lines.

Theory of operation. A log is stored in pieces of bytes and only grows at its end. Lines are counted from the beginning,
one slice at a time. For each slice that was read, a `LineIndex` keeps its position and the number of line ends before
it, so the next request begins near its first line. The indexes of the last MAX_INDEXES runs are kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.records import Run
from scheduler_service.domain.run_state import TERMINAL, RunStatus
from scheduler_service.services.run_rows import existing
from scheduler_service.storage import logs
from scheduler_service.storage.database import Database

SLICE_BYTES = 256 * 1024
MAX_LINES_BYTES = 1024 * 1024
"""The largest answer. It can end within a line that is longer."""
MAX_INDEXES = 256
# A longer line is searched in parts of this length.
_MAX_LINE_BYTES = 64 * 1024
_SHOWN_BEFORE, _SHOWN_CHARACTERS = 100, 400
_END = b"\n"


@dataclass(frozen=True, slots=True)
class LogLines:
    """Lines of a log. `total` counts all lines so far, or is None if they were not counted.

    `next_line` and `next_offset` are where the following request begins.
    """

    data: bytes
    first_line: int
    next_line: int
    next_offset: int
    status: RunStatus
    total: int | None = None


@dataclass(frozen=True, slots=True)
class LogMatch:
    """A line that contains the searched text: its number, its position in bytes, and the text around the match."""

    line: int
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class LogMatches:
    """Matching lines in order. `next_line` is where a further search begins, or None if there is no more of the log."""

    matches: tuple[LogMatch, ...]
    next_line: int | None


@dataclass(slots=True)
class LineIndex:
    """Positions in a log with the number of line ends before each."""

    offsets: list[int] = field(default_factory=lambda: [0])
    ends: list[int] = field(default_factory=lambda: [0])

    def before(self, line_ends: int) -> tuple[int, int]:
        """Return the last known position before a line end, which is given by its number, and the line ends before it.

        A position behind that line end could be in the middle of the line that follows.
        """
        place = max(0, bisect_left(self.ends, line_ends) - 1)
        return self.offsets[place], self.ends[place]

    def note(self, offset: int, line_ends: int) -> None:
        """Keep a position if it is behind the last known one."""
        if offset > self.offsets[-1]:
            self.offsets.append(offset)
            self.ends.append(line_ends)


class RunLogService:
    """Reads logs by lines."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._indexes: OrderedDict[int, LineIndex] = OrderedDict()

    async def lengths(self, run_ids: Iterable[int]) -> dict[int, int | None]:
        """Return the lengths of the logs of runs, or None for a run that has ended. The caller checks who may know."""
        async with self._database.read() as connection:
            found = await logs.lengths(connection, run_ids)
        return {run_id: None if status in TERMINAL else length for run_id, (status, length) in found.items()}

    async def lines(self, caller: Caller, run_id: int, from_line: int, count: int) -> LogLines:
        """Return up to `count` lines from line `from_line` on, counted from 1, or from the end if it is negative."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            run = await existing(connection, caller, run_id)
            total = await self._count(connection, run) if from_line < 0 else None
            first = from_line if total is None else max(1, total + from_line + 1)
            return await self._collect(connection, run, first, count, total)

    async def search(self, caller: Caller, run_id: int, text: str, from_line: int, limit: int) -> LogMatches:
        """Return up to `limit` lines that contain a text, ignoring case, from line `from_line` on."""
        caller.require(Scope.READ)
        found: list[LogMatch] = []
        wanted = text.lower()
        async with self._database.read() as connection:
            run = await existing(connection, caller, run_id)
            async for line, offset, data in self._pieces(connection, run, from_line):
                found += _matches(data, wanted, line, offset)[: limit - len(found)]
                if len(found) == limit:
                    return LogMatches(tuple(found), found[-1].line + 1)
        return LogMatches(tuple(found), None)

    async def _collect(
        self, connection: AsyncConnection, run: Run, first: int, count: int, total: int | None
    ) -> LogLines:
        found, start, wanted = bytearray(), run.log_bytes, count
        async for ends, offset, data in self._slices(connection, run, first - 1):
            rest = _after(data, first - 1 - ends) if not found else data
            if rest and not found:
                start = offset + len(data) - len(rest)
            taken = _up_to(rest, wanted)
            found += taken
            wanted -= taken.count(_END)
            if not wanted or len(found) >= MAX_LINES_BYTES:
                break
        kept = bytes(found) if len(found) <= MAX_LINES_BYTES else _cut(bytes(found))
        return LogLines(kept, first, first + kept.count(_END), start + len(kept), run.status, total)

    async def _count(self, connection: AsyncConnection, run: Run) -> int:
        last = b""
        line_ends = self._index_of(run.id).ends[-1]
        async for ends, _, data in self._slices(connection, run, line_ends + 1):
            line_ends, last = ends + data.count(_END), data
        return line_ends + (bool(last) and not last.endswith(_END))

    async def _pieces(
        self, connection: AsyncConnection, run: Run, from_line: int
    ) -> AsyncIterator[tuple[int, int, bytes]]:
        """Yield (number of the first line, position, whole lines) from a line on. A very long line comes in parts."""
        rest, last_line, last_at = b"", 1, 0
        async for ends, offset, data in self._slices(connection, run, from_line - 1):
            skipped = len(data) - len(_after(data, from_line - 1 - ends))
            text = rest + data[skipped:]
            line, at = ends + data[:skipped].count(_END) + 1, offset + skipped - len(rest)
            end = text.rfind(_END) + 1
            if len(text) - end > _MAX_LINE_BYTES:
                end = len(text)
            yield line, at, text[:end]
            rest = text[end:]
            last_line, last_at = line + text[:end].count(_END), at + end
        if rest:
            yield last_line, last_at, rest

    async def _slices(
        self, connection: AsyncConnection, run: Run, line_ends: int
    ) -> AsyncIterator[tuple[int, int, bytes]]:
        """Yield (line ends before it, position, slice) from the last known position before a number of line ends."""
        index = self._index_of(run.id)
        offset, ends = index.before(line_ends)
        while offset < run.log_bytes:
            data = await logs.read(connection, run.id, offset, min(SLICE_BYTES, run.log_bytes - offset))
            if not data:  # the log was deleted
                return
            yield ends, offset, data
            offset, ends = offset + len(data), ends + data.count(_END)
            # Not the end of the log, because its last byte tells whether the last line is complete.
            if len(data) > SLICE_BYTES // 2 and offset < run.log_bytes:
                index.note(offset, ends)

    def _index_of(self, run_id: int) -> LineIndex:
        index = self._indexes.setdefault(run_id, LineIndex())
        self._indexes.move_to_end(run_id)
        if len(self._indexes) > MAX_INDEXES:
            self._indexes.popitem(last=False)
        return index


def _after(data: bytes, line_ends: int) -> bytes:
    """Return what follows the first `line_ends` line ends, or nothing if there are fewer."""
    if line_ends <= 0:
        return data
    parts = data.split(_END, line_ends)
    return parts[line_ends] if len(parts) > line_ends else b""


def _up_to(data: bytes, lines: int) -> bytes:
    """Return the first `lines` lines with their ends, or all if there are fewer."""
    parts = data.split(_END, lines)
    return data[: len(data) - len(parts[lines])] if len(parts) > lines else data


def _cut(data: bytes) -> bytes:
    """Return at most MAX_LINES_BYTES of a text in UTF-8, whole lines if there are any."""
    end = data.rfind(_END, 0, MAX_LINES_BYTES) + 1
    return data[:end] if end else data[:MAX_LINES_BYTES].decode("utf-8", "ignore").encode()


def _matches(data: bytes, wanted: str, line: int, offset: int) -> list[LogMatch]:
    if wanted not in data.decode("utf-8", "replace").lower():
        return []
    return list(_each_match(data, wanted, line, offset))


def _each_match(data: bytes, wanted: str, line: int, offset: int) -> Iterator[LogMatch]:
    for each in _lines(data):
        text = each.decode("utf-8", "replace")
        place = text.lower().find(wanted)
        if place >= 0:
            begin = max(0, place - _SHOWN_BEFORE)
            yield LogMatch(line, offset, text.rstrip("\n")[begin : begin + _SHOWN_CHARACTERS])
        line += each.endswith(_END)
        offset += len(each)


def _lines(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(_END, start) + 1 or len(data)
        yield data[start:end]
        start = end
