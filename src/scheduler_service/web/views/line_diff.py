"""The difference of two logs, line by line, with some lines around each difference.

Lines that occur often, such as empty ones, are no anchors of the comparison. This bounds its time: a log of few
distinct lines, compared by its every line, would take minutes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import islice

MAX_ROWS = 2000
_CONTEXT_LINES = 3
_ANCHOR_OCCURRENCES = 8


@dataclass(frozen=True, slots=True)
class DiffRow:
    """A line with its number in each log. None: that log has none. `skipped` equal lines before it are left out."""

    text: str
    before: int | None
    after: int | None
    skipped: int = 0

    @property
    def kind(self) -> str:
        """Return `added`, `removed` or `same`."""
        return "added" if self.before is None else "removed" if self.after is None else "same"


@dataclass(frozen=True, slots=True)
class LineDiff:
    """The first MAX_ROWS rows, the number of added and removed lines, and whether there are more rows."""

    rows: tuple[DiffRow, ...]
    added: int
    removed: int
    is_cut: bool


def line_diff(before: Sequence[str], after: Sequence[str]) -> LineDiff:
    """Return the difference of two logs."""
    often = Counter(before) + Counter(after)
    matcher = SequenceMatcher(lambda line: often[line] > _ANCHOR_OCCURRENCES, before, after, autojunk=False)
    changed = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    rows = tuple(islice(_rows(matcher, before, after), MAX_ROWS + 1))
    added = sum(end - begin for _, _, _, begin, end in changed)
    removed = sum(end - begin for _, begin, end, _, _ in changed)
    return LineDiff(rows[:MAX_ROWS], added, removed, len(rows) > MAX_ROWS)


def _rows(matcher: SequenceMatcher[str], before: Sequence[str], after: Sequence[str]) -> Iterator[DiffRow]:
    shown = 0
    for group in matcher.get_grouped_opcodes(_CONTEXT_LINES):
        skipped = group[0][1] - shown
        if skipped == 1:  # the line takes no more room than a word about it
            yield DiffRow(before[shown], group[0][1], group[0][3])
            skipped = 0
        for kind, i1, i2, j1, j2 in group:
            for row in _rows_of(kind, i1, i2, j1, j2, before, after):
                yield replace(row, skipped=skipped)
                skipped = 0
        shown = group[-1][2]


def _rows_of(
    kind: str, i1: int, i2: int, j1: int, j2: int, before: Sequence[str], after: Sequence[str]
) -> Iterator[DiffRow]:
    if kind == "equal":
        for place in range(i2 - i1):
            yield DiffRow(before[i1 + place], i1 + place + 1, j1 + place + 1)
        return
    for i in range(i1, i2):
        yield DiffRow(before[i], i + 1, None)
    for j in range(j1, j2):
        yield DiffRow(after[j], None, j + 1)
