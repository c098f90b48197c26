"""What differs between two definitions of a job: short values side by side, long ones line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scheduler_service.web.views.line_diff import LineDiff, line_diff

_MAX_VALUE = 200
_MAX_LINES = 5000
# Objects whose parts are compared one by one. In others a changed secret would look the same as before.
_IN_PARTS = frozenset({"payload", "limits", "retry_policy", "dst"})


@dataclass(frozen=True, slots=True)
class Change:
    """A field that changes, with both values as texts. None stands for no value. `lines` is set if one is long."""

    field: str
    before: str | None
    after: str | None
    lines: LineDiff | None = None


def changes_in(differences: Mapping[str, Mapping[str, Any]]) -> tuple[Change, ...]:
    """Return changed fields with both values. A side can be left out, which stands for no value."""
    return tuple(
        change
        for name, sides in differences.items()
        for change in _changes_of(name, sides.get("before"), sides.get("after"))
    )


def fields_in(definition: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the fields of a definition that have a value, with the value as text."""
    return tuple((name, shown) for name, value in _parts(definition) if (shown := _text(value)) is not None)


def _parts(definition: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in definition.items():
        if name in _IN_PARTS and isinstance(value, Mapping):
            yield from ((f"{name}.{part}", each) for part, each in value.items())
        elif value not in ([], {}):
            yield name, value


def _changes_of(name: str, before: Any, after: Any) -> Iterator[Change]:
    if name in _IN_PARTS and isinstance(before, Mapping) and isinstance(after, Mapping):
        parts = dict.fromkeys((*before, *after))
        if changed := [part for part in parts if before.get(part) != after.get(part)]:
            for part in changed:
                yield _change(f"{name}.{part}", before.get(part), after.get(part))
            return
    yield _change(name, before, after)


def _change(name: str, before: Any, after: Any) -> Change:
    old, new = _text(before), _text(after)
    is_long = any(text is not None and (len(text) > _MAX_VALUE or "\n" in text) for text in (old, new))
    return Change(name, old, new, line_diff(_lines(old), _lines(new)) if is_long else None)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE else json.dumps(value, ensure_ascii=False, indent=2)


def _lines(text: str | None) -> list[str]:
    return [] if text is None else text.split("\n")[:_MAX_LINES]
