"""The option `--selector`, which several commands have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from scheduler_service.console.documents import refusal

Selectors = Annotated[
    list[str] | None,
    typer.Option("--selector", "-l", metavar="tag=TAG", help="Select jobs by tag=… or owner_id=…; repeatable."),
]
_NAMES = ("tag", "owner_id")


def read_selector(words: Iterable[str] | None) -> dict[str, str]:
    """Return the selected tag and owner. Raise `RefusedError` for any other word."""
    selected: dict[str, str] = {}
    for word in words or ():
        name, separator, value = word.partition("=")
        if not separator or not value or name not in _NAMES or name in selected:
            raise refusal("--selector", f"write tag=TAG or owner_id=OWNER, each once, not {word!r}")
        selected[name] = value
    return selected
