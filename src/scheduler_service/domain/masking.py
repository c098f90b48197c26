"""Replaces secrets by `***` in text, also if it arrives in pieces.

Theory of operation. The text is searched for every form of every secret. The leftmost match counts, and of those that
begin at one place the longest. A stream holds back the end of a piece from the first place where a form may have begun,
at most the length of the longest form minus 1, so the result does not depend on where the text is cut.

`bytes.find` does the search: its time is linear, which a backtracking expression over all forms would not promise for
hostile text. A job may have thousands of forms. Of a short text all parts of `MIN_BYTES` are looked up first, and only
forms that begin with one of them are searched for: a search for each form would take longer than the text.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

from scheduler_service.domain.secret_forms import MIN_BYTES, forms_of

MASK = "***"
_MASK = MASK.encode()
_BYTES_WORTH_A_SEARCH = 8
"""A search for one form in a short text takes as long as looking up so many parts of it."""
_MANY_FORMS = 200
"""Searches for so many take longer than looking up the parts of a text of any length."""
_MAX_TRIES = 16
"""So many places of a piece are compared with a form in full; the text after them is held back without a look."""


class Masker:
    """Masks a set of secrets."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms = _Forms({form for value in values for form in forms_of(value)})

    def stream(self) -> MaskedStream:
        """Return a new stream of text in pieces."""
        return MaskedStream(self._forms)

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        if not self._forms.count:
            return text
        stream = self.stream()
        return (stream.take(text.encode()) + stream.finish()).decode("utf-8", "replace")

    def value(self, value: Any) -> Any:
        """Return a JSON value without secrets, in keys, in texts and in numbers."""
        if not self._forms.count:
            return value
        if isinstance(value, dict):
            return {self.text(name): self.value(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool):
            return value
        return value if self.text(str(value)) == str(value) else MASK


class _Forms:
    """All forms of the secrets of a job."""

    def __init__(self, forms: set[bytes]) -> None:
        self._all = tuple(sorted(forms))
        self.count = len(forms)
        self.beginnings = frozenset(form[:length] for form in forms for length in range(1, MIN_BYTES))
        self._by_head: dict[bytes, list[bytes]] = {}
        for form in self._all:
            self._by_head.setdefault(form[:MIN_BYTES], []).append(form)

    def begun_in(self, text: bytes) -> Sequence[bytes]:
        """Return all forms that may be in a text, or begin at its end with `MIN_BYTES` or more."""
        if self.count < _MANY_FORMS and len(text) > self.count * _BYTES_WORTH_A_SEARCH:
            return self._all
        parts = {text[at : at + MIN_BYTES] for at in range(len(text) - MIN_BYTES + 1)}
        return [form for head in parts & self._by_head.keys() for form in self._by_head[head]]


class MaskedStream:
    """Masks text that arrives in pieces."""

    def __init__(self, forms: _Forms) -> None:
        self._forms = forms
        self._held = b""

    def take(self, data: bytes) -> bytes:
        """Return the text up to now that cannot be part of a secret any more, with secrets masked."""
        if not self._forms.count:
            return data
        return self._mask(self._held + data, is_end=False)

    def finish(self) -> bytes:
        """Return the rest."""
        return self._mask(self._held, is_end=True)

    def _mask(self, text: bytes, *, is_end: bool) -> bytes:
        forms = self._forms.begun_in(text)
        matches = _Matches(forms, text)
        parts, position, limit = [], 0, -1
        while True:
            if position > limit:
                limit = len(text) if is_end else self._undecided(text, position, forms)
            match = matches.after(position)
            if match is None or match[0] >= limit:
                break
            parts += [text[position : match[0]], _MASK]
            position = match[1]
        self._held = text[limit:]
        return b"".join([*parts, text[position:limit]])

    def _undecided(self, text: bytes, start: int, forms: Sequence[bytes]) -> int:
        """Return the first place from `start` where the end of the text may be the beginning of a form."""
        size = len(text)
        last = range(max(start, size - MIN_BYTES + 1), size)
        short = next((at for at in last if text[at:] in self._forms.beginnings), size)
        return min([short, *(_first_beginning(text, form, start) for form in forms)])


class _Matches:
    """The places of all forms in a text, from left to right."""

    def __init__(self, forms: Iterable[bytes], text: bytes) -> None:
        self._text = text
        found = ((text.find(form), form) for form in forms)
        self._queue = [(at, -len(form), form) for at, form in found if at >= 0]
        heapq.heapify(self._queue)

    def after(self, position: int) -> tuple[int, int] | None:
        """Return the begin and the end of the first and longest match that begins at `position` or later, or None."""
        while self._queue and self._queue[0][0] < position:
            _, length, form = self._queue[0]
            at = self._text.find(form, position)
            if at >= 0:
                heapq.heapreplace(self._queue, (at, length, form))
            else:
                heapq.heappop(self._queue)
        if not self._queue:
            return None
        at, length, _ = self._queue[0]
        return at, at - length


def _first_beginning(text: bytes, form: bytes, start: int) -> int:
    """Return the first place from `start` where the end of the text begins a form, or the length of the text.

    An end of less than MIN_BYTES is not looked at.
    """
    size, head = len(text), form[:MIN_BYTES]
    start = max(start, size - len(form) + 1)
    at = text.find(head, start)
    for number in range(_MAX_TRIES + 1):
        if at < 0:
            return size
        if number == _MAX_TRIES or form.startswith(text[at:]):
            break
        at = text.find(head, at + 1)
    return at
