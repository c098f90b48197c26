"""The texts of controls: how a value is written, and what a written text stands for.

Values of variables are never shown. Their lines have `***` in place of the value, which keeps the stored one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from scheduler_service.web.views.editor_fields import Kind

KEPT = "***"
"""Stands for the stored value of a variable."""
_SPLIT = re.compile(r"[,\s]+")


def text_of(kind: Kind, value: Any, *, is_hidden: bool = False) -> str:
    """Return a value as the text of its control. `is_hidden` keeps the values of pairs out of it."""
    if value is None:
        return ""
    if is_hidden and kind is Kind.PAIRS and isinstance(value, Mapping):
        value = dict.fromkeys(value, KEPT)
    return _WRITERS[kind](value)


def value_of(kind: Kind, text: str, stored: Any = None) -> Any:
    """Return the value that a text stands for, or None if the field is left out.

    A text that stands for no value of its kind is returned as it is, so that the check of the job names the fault.
    `stored` is the present value, for lines that keep it.
    """
    if kind is Kind.CODE:
        return text.replace("\r\n", "\n") or None
    text = text.strip()
    if not text:
        return None
    if kind is Kind.PAIRS:
        return _pairs(text, stored or {})
    return _READERS[kind](text)


def _number(text: str) -> Any:
    try:
        number = float(text)
    except ValueError:
        return text
    if number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124 (NaN)
        return text
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else number


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _pairs(text: str, stored: Mapping[str, str]) -> dict[str, str]:
    pairs = {}
    for line in _lines(text):
        name, _, value = line.partition("=")
        name = name.strip()
        pairs[name] = stored[name] if value == KEPT and name in stored else value
    return pairs


def _headers(text: str) -> dict[str, str]:
    split = (line.partition(":") for line in _lines(text))
    return {name.strip(): value.strip() for name, _, value in split}


def _upstream(text: str) -> list[dict[str, Any]]:
    jobs = []
    for line in _lines(text):
        job, _, on = line.strip().partition(" ")
        jobs.append({"job": _number(job)} | ({"on": on.strip()} if on.strip() else {}))
    return jobs


def _statuses(text: str) -> Any:
    found = [_number(word) for word in _words(text)]
    return found[0] if len(found) == 1 else found


def _words(text: str) -> list[str]:
    return [word for word in _SPLIT.split(text) if word]


_READERS: Mapping[Kind, Callable[[str], Any]] = {
    Kind.TEXT: str,
    Kind.NUMBER: _number,
    Kind.FLAG: bool,
    Kind.WORDS: _words,
    Kind.ITEMS: _items,
    Kind.LINES: _lines,
    Kind.HEADERS: _headers,
    Kind.UPSTREAM: _upstream,
    Kind.STATUSES: _statuses,
    Kind.JSON: _json,
}


def _write_number(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _write_lines(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _write_list(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _write_pairs(separator: str) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        if not isinstance(value, Mapping):
            return str(value)
        return "\n".join(f"{name}{separator}{each}" for name, each in value.items())

    return write


def _write_upstream(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return str(value)
    return "\n".join(
        f"{each.get('job', '')} {each.get('on', '')}".strip() if isinstance(each, Mapping) else str(each)
        for each in value
    )


def _write_json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False) if value else ""


_WRITERS: Mapping[Kind, Callable[[Any], str]] = {
    Kind.TEXT: str,
    Kind.CODE: str,
    Kind.NUMBER: _write_number,
    Kind.FLAG: lambda value: "on" if value is True else "",
    Kind.WORDS: _write_list,
    Kind.ITEMS: _write_list,
    Kind.LINES: _write_lines,
    Kind.PAIRS: _write_pairs("="),
    Kind.HEADERS: _write_pairs(": "),
    Kind.UPSTREAM: _write_upstream,
    Kind.STATUSES: _write_list,
    Kind.JSON: _write_json,
}
