"""Documents that commands send, read from a file or from typed words."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scheduler_service.console.exit_codes import RefusedError
from scheduler_service.errors import FieldProblem

Document = dict[str, Any]


def read_document(path: str) -> Document:
    """Read a JSON object from a file, or from standard input for `-`; raises `RefusedError`."""
    try:
        document = _parse(_read(path))
    except ValueError as error:
        raise refusal("--file", f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise refusal("--file", f"{path} holds no JSON object; write {{…}}")
    return document


def read_text(value: str) -> str:
    """Return the text that was typed, or for `@path` that of the file, or for `@-` of standard input."""
    return _read(value[1:]) if value.startswith("@") else value


def read_fields(words: Iterable[str]) -> Document:
    """Read `field=value` words, as in `retry_policy.max_retries=3 name=hello tags='["a"]'`.

    A value is JSON where it can be read as such, else text; dots in the field's name reach into objects. Variables
    (`env.NAME=1`) hold text alone, so it is taken as it stands, but for null, which takes one away.
    """
    document: Document = {}
    for word in words:
        path, value = _split(word, "field=value")
        *parents, name = path.split(".")
        target = document
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise refusal(path, f"{parent} has a value of its own already")
        target[name] = _value(value) if parents != ["env"] or value == "null" else value
    return document


def read_variables(words: Iterable[str]) -> dict[str, str]:
    """Read `NAME=value` words; every value is text."""
    return dict(_split(word, "NAME=value") for word in words)


def merged(document: Document, changes: Document) -> Document:
    """Lay changes over a document, object by object."""
    result = dict(document)
    for name, value in changes.items():
        below = result.get(name)
        result[name] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _split(word: str, form: str) -> tuple[str, str]:
    name, separator, value = word.partition("=")
    if not (name and separator):
        raise refusal(word, f"write {form}")
    return name, value


def _value(text: str) -> Any:
    try:
        return _parse(text)
    except ValueError:
        return text


def _parse(text: str) -> Any:
    """Read JSON as its standard has it (RFC 8259), which knows no NaN and no Infinity."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_read_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _read_integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # Python reads no integer of more than 4300 digits, since that takes time
        raise ValueError("it holds a number with too many digits") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise refusal(path, f"cannot be read: {reason}") from None


def refusal(field: str, message: str) -> RefusedError:
    """Build the error of one wrong option."""
    return RefusedError(FieldProblem(field, message))
