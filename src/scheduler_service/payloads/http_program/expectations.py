"""Compares a response with what its job expects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scheduler_service.payloads.http_program.exchange import MAX_BODY_BYTES, Response
from scheduler_service.payloads.http_program.failure import RequestFailedError

_LONGEST_SHOWN = 120
_CLASS = 100
_ABSENT = object()


def check(response: Response, expect: Mapping[str, Any]) -> None:
    """Raise `RequestFailedError` for the first expectation that the response does not meet."""
    _check_status(response, expect["status"])
    if (text := expect["body_contains"]) is not None and text.encode() not in response.body:
        raise RequestFailedError(f"the body does not contain {_shorten(text)}{_cut_note(response)}")
    if paths := expect["json_path"]:
        document = _parse(response)
        for path in paths:
            _check_path(document, path["path"], path["steps"], path["value"])


def _check_status(response: Response, expected: Sequence[int | str]) -> None:
    if response.status in expected or f"{response.status // _CLASS}xx" in expected:
        return
    message = f"{response.url} answered {response.shown_status}, expected {' or '.join(map(str, expected))}"
    if response.location is not None:
        message += f"; it redirects to {_shorten(response.location)}: set follow_redirects, or correct the url"
    raise RequestFailedError(message)


def _parse(response: Response) -> object:
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        raise RequestFailedError(f"the body is not JSON{_cut_note(response)}, so json_path cannot be checked") from None


def _cut_note(response: Response) -> str:
    return f" (of which only the first {MAX_BODY_BYTES} bytes were read)" if response.is_cut else ""


def _check_path(document: object, path: str, steps: Sequence[str | int], expected: object) -> None:
    found = _find(document, steps)
    if found is _ABSENT:
        raise RequestFailedError(f"the body has nothing at {path}, expected {_show(expected)}")
    if not _is_same(found, expected):
        raise RequestFailedError(f"the body has {_show(found)} at {path}, expected {_show(expected)}")


def _find(document: object, steps: Sequence[str | int]) -> object:
    for step in steps:
        match document:
            case dict() if isinstance(step, str) and step in document:
                document = document[step]
            case list() if isinstance(step, int) and step < len(document):
                document = document[step]
            case _:
                return _ABSENT
    return document


def _is_same(found: object, expected: object) -> bool:
    """Compare two JSON values. Python takes true for 1; JSON does not."""
    match found, expected:
        case (list(), list()):
            return len(found) == len(expected) and all(map(_is_same, found, expected))
        case (dict(), dict()):
            return found.keys() == expected.keys() and all(_is_same(found[key], expected[key]) for key in found)
    return isinstance(found, bool) == isinstance(expected, bool) and found == expected


def _show(value: object) -> str:
    return _shorten(json.dumps(value, ensure_ascii=False), quoted=False)


def _shorten(text: str, *, quoted: bool = True) -> str:
    short = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return json.dumps(short, ensure_ascii=False) if quoted else short
