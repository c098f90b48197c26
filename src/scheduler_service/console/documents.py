"""Builds request documents from files and from command line arguments."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scheduler_service.console.exit_codes import RefusedError
from scheduler_service.errors import FieldProblem

Document = dict[str, Any]


def read_document(path: str) -> Document:
    """Return the JSON object in a file, or on standard input for `-`. Raise `RefusedError` on failure."""
    try:
        document = _parse(_read(path))
    except ValueError as error:
        raise refusal("--file", f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise refusal("--file", f"{path} does not hold a JSON object; write {{…}}")
    return document


def read_changes(file: str | None, words: Iterable[str] | None, example: str) -> Document:
    """Return the changes of a file, if there is one, and of words; the words win.

    Raise `RefusedError`, which shows an example of a word, if there is no change.
    """
    changes = merged(read_document(file) if file else {}, read_fields(words or ()))
    if not changes:
        raise refusal("", f"no change given; write FIELD=VALUE, such as {example}")
    return changes


def read_text(value: str) -> str:
    """Return the argument itself, the content of the file for `@path`, or standard input for `@-`."""
    return _read(value[1:]) if value.startswith("@") else value


def read_fields(words: Iterable[str]) -> Document:
    """Return a document from words such as `retry_policy.max_retries=3 name=hello tags='["a"]'`.

    A value is parsed as JSON if possible and is text otherwise. Dots in the field name address nested objects. Values
    of variables (`env.NAME=1`) are always text, except null, which removes a variable.
    """
    document: Document = {}
    for word in words:
        path, value = _split(word, "field=value")
        *parents, name = path.split(".")
        target = document
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise refusal(path, f"{parent} already has a value; write either {parent}=… or {parent}.name=…")
        target[name] = _value(value) if parents != ["env"] or value == "null" else value
    return document


def read_variables(words: Iterable[str]) -> dict[str, str]:
    """Return variables from `NAME=value` words. Every value is text."""
    return dict(_split(word, "NAME=value") for word in words)


def read_files(words: Iterable[str]) -> Document:
    """Return files from `PATH` or `NAME=PATH` words, as text if they are, else in base64."""
    files: Document = {}
    for word in words:
        name, separator, path = word.partition("=")
        if not separator:
            name, path = Path(word).name, word
        files[name] = _content(_read_bytes(path))
    return files


def read_arguments(words: Iterable[str]) -> Document:
    """Return arguments from `NAME=value` words. A value is parsed as JSON if possible and is text otherwise."""
    return {name: _value(value) for name, value in (_split(word, "NAME=value") for word in words)}


def merged(document: Document, changes: Document) -> Document:
    """Return the document with the changes merged recursively."""
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
    """Return the value of a JSON text (RFC 8259), in which NaN and Infinity are invalid."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_read_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _read_integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # Python refuses integers of more than 4300 digits
        raise ValueError("it holds a number of more than 4300 digits") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise refusal(path, f"cannot be read: {reason}; name a readable file") from None


def _read_bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise refusal(path, f"cannot be read: {reason}; name a readable file") from None


def _content(data: bytes) -> dict[str, str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    return {"base64": b64encode(data).decode()} if "\0" in text else {"text": text}


def refusal(field: str, message: str) -> RefusedError:
    """Return the error for one wrong option."""
    return RefusedError(FieldProblem(field, message))
