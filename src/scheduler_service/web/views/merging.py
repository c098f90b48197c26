"""Two changes of one job at once: what each of them made of a field, and which is taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

THEIRS, YOURS = "theirs", "yours"
_HIDDEN = "env"


@dataclass(frozen=True, slots=True)
class Choice:
    """A field with three values, as texts. `taken` is the suggestion."""

    field: str
    base: str
    theirs: str
    yours: str
    taken: str


def choices(base: Mapping[str, Any], theirs: Mapping[str, Any], yours: Mapping[str, Any]) -> list[Choice]:
    """Return the fields that others have changed since `base` to something else than `yours`."""
    found = []
    for name in theirs:
        before, others, mine = (_compared(name, document.get(name)) for document in (base, theirs, yours))
        if before != others != mine:
            taken = THEIRS if mine == before else YOURS
            found.append(Choice(name, _shown(before), _shown(others), _shown(mine), taken))
    return found


def merged(yours: Mapping[str, Any], theirs: Mapping[str, Any], chosen: Mapping[str, str]) -> dict[str, Any]:
    """Return a document with the fields of others where they were chosen."""
    taken = {name: value for name, value in theirs.items() if chosen.get(name) == THEIRS}
    return {**yours, **taken}


def _compared(name: str, value: Any) -> Any:
    """Return what is compared of a field: of variables only the names, whose values are never shown."""
    return ", ".join(value) if name == _HIDDEN and isinstance(value, Mapping) else value


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
