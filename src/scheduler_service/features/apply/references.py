"""The text `${` in job files: refused when a file is read, and written as `$${`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
_REFERENCE = re.compile(r"(\$+)\{")
_CODE = frozenset({("payload", "code"), ("payload", "script"), ("payload", "stdin")})

MESSAGE = (
    "contains ${…}, which nothing replaces: files mean the same everywhere; write the value itself, name a secret in "
    "`secrets`, or write $${ for the text ${"
)


def unescape(document: dict[str, Any]) -> Iterator[Path]:
    """Remove one dollar sign from each `$${` of a document, except in code. Yield the paths of texts with `${`."""
    for holder, name, path in list(_texts(document, ())):
        text = holder[name]
        if any(len(dollars) == 1 for dollars in _REFERENCE.findall(text)):
            yield path
        holder[name] = _REFERENCE.sub(lambda found: found[1][1:] + "{", text)


def escaped(document: dict[str, Any]) -> dict[str, Any]:
    """Add one dollar sign to each `${` of a document, except in code, and return the document."""
    for holder, name, _ in list(_texts(document, ())):
        holder[name] = _REFERENCE.sub(lambda found: f"${found[0]}", holder[name])
    return document


def _texts(value: Any, path: Path) -> Iterator[tuple[Any, Any, Path]]:
    """Yield the holder, name and path of each text that is not code."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        below = (*path, name)
        if below in _CODE or (below[:1] == ("files",) and below[2:] == ("text",)):
            continue
        if isinstance(member, str):
            yield value, name, below
        else:
            yield from _texts(member, below)
