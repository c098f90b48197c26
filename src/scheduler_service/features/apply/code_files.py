"""Puts the text of `code_file` and `script_file` into the payload of a job."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

from scheduler_service.console.yaml_reader import Fault
from scheduler_service.console.yaml_reader import Path as ValuePath

FIELDS = {"code_file": "code", "script_file": "script"}
MAX_BYTES = 1024 * 1024


def insert_code(
    document: dict[str, Any], lines: MutableMapping[ValuePath, int], directory: Path, root: Path
) -> Iterator[Fault]:
    """Replace the names of code files by their texts. Yield what is wrong.

    A name is relative to `directory`, and its file is within `root`, also if links lead to it.
    """
    payload = document.get("payload")
    if not isinstance(payload, dict):
        return
    for file_field, field in FIELDS.items():
        if file_field not in payload:
            continue
        path: ValuePath = ("payload", file_field)
        line = lines.get(path, 1)
        name = payload.pop(file_field)
        if field in payload:
            yield Fault(line, path, f"write either {field} or {file_field}")
            continue
        lines["payload", field] = line
        try:
            payload[field] = _read(name, directory, root)
        except ValueError as error:
            payload[field] = ""
            yield Fault(line, path, str(error))


def _read(name: object, directory: Path, root: Path) -> str:
    """Return the text of a code file. Raise `ValueError` with the reason if it cannot be used."""
    if not isinstance(name, str) or not name or Path(name).is_absolute():
        raise ValueError(f"{name!r} is not the name of a file; write one relative to this file")
    try:
        file = (directory / name).resolve()
        if not file.is_relative_to(root.resolve()):
            raise ValueError(f"{name!r} lies outside of {str(root)!r}; move it into this directory")
        if not file.is_file():
            raise ValueError(f"{name!r} is not a file; name one relative to this file")
        if (size := file.stat().st_size) > MAX_BYTES:
            raise ValueError(f"{name!r} has {size} bytes, and the limit is {MAX_BYTES}; make it smaller")
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{name!r} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise ValueError(f"{name!r} cannot be read: {error.strerror}") from None
