"""The words of the interface, from one catalogue.

A text is named by its table and key in `texts`, such as `jobs.title`. A text with a count is a table of its
forms, `one` and `other`, and its placeholder is `{n}`. Placeholders are filled with plain text; Jinja escapes it all.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from scheduler_service.web.views.words import grouped

CATALOGUE = Path(__file__).parent / "texts"


@cache
def load_texts() -> dict[str, str | dict[str, str]]:
    """Return the texts by their dotted names."""
    found: dict[str, str | dict[str, str]] = {}
    for path in sorted(CATALOGUE.glob("*.toml")):
        _flatten("", tomllib.loads(path.read_text(encoding="utf-8")), found)
    return found


def text(name: str, /, n: int | None = None, **values: object) -> str:
    """Return a text with its placeholders filled. `n` selects its form and is written with thousands separators."""
    found = load_texts()[name]
    if isinstance(found, dict):
        found = found["one" if n == 1 else "other"]
    return found.format(n="" if n is None else grouped(n), **values)


def _flatten(prefix: str, table: dict[str, Any], found: dict[str, str | dict[str, str]]) -> None:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, str) or set(value) == {"one", "other"}:
            found[name] = value
        else:
            _flatten(f"{name}.", value, found)
