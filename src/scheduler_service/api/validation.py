"""What pydantic says of a request, in the words and places of its author."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from scheduler_service.api.problems import FieldError, field_error
from scheduler_service.api.suggestions import closest, known_fields, known_parameters, remedy
from scheduler_service.errors import FieldProblem

Path = tuple[str | int, ...]

# Deeper than anything that is known here; what a user nests deeper is cut in the answer.
LONGEST_PATH = 16
_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}
_PLAIN_WORDS = {
    "missing": "required; add it",
    "timezone_aware": "needs an offset from UTC; add Z or, say, +01:00",
    "string_unicode": "a lone surrogate is no character and has no UTF-8; remove it",
    "recursion_depth_exceeded": "nested too deeply",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "dataclass_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "list_type": "must be a JSON array",
}


def field_errors(request: Request, error: RequestValidationError) -> list[FieldError]:
    """Describe everything that is wrong with a request."""
    found: dict[tuple[str, str], FieldError] = {}
    for item in error.errors():
        where, *location = item["loc"]
        describe = _in_body if where == "body" else _in_parameter
        described = describe(request, item, tuple(location), error.body)
        found.setdefault((described.field, described.detail), described)
    return list(found.values())


def _in_body(request: Request, item: Mapping[str, Any], location: Path, body: object) -> FieldError:
    path = _as_written(request, location, body, is_missing=item["type"] == "missing")
    if not path and item["type"] == "missing":
        return FieldError(field="body", pointer="#", detail="required; send a JSON object")
    if item["type"] in _UNKNOWN:
        detail = f"unknown field; {remedy(str(path[-1]), known_fields(request, path[:-1], body))}"
    else:
        detail = _detail(item)
    field = ".".join(str(step) for step in path) or "body"
    # What is missing has no value; pydantic gives that of the object around it.
    value = None if item["type"] == "missing" else item.get("input")
    described = field_error(FieldProblem(field, detail, value), path)
    return described if path else described.model_copy(update={"pointer": "#"})


def _in_parameter(request: Request, item: Mapping[str, Any], location: Path, _body: object) -> FieldError:
    name = str(location[0])
    if item["type"] in _UNKNOWN:
        detail = f"unknown query parameter; {remedy(name, known_parameters(request))}"
    else:
        detail = _detail(item)
    value = None if item["type"] == "missing" else item.get("input")
    return field_error(FieldProblem(name, detail, value), path=())


def _as_written(request: Request, location: Sequence[str | int], body: object, *, is_missing: bool) -> Path:
    """Give the path of a field in the body, without the steps that are pydantic's own (`float`, `dict`, `[key]`).

    A field that is not in the body is named too: what a patch leaves as it was may not go with what it changes.
    """
    path: list[str | int] = []
    value: Any = body
    for step in location:
        if _has(value, step):
            value = value[step]
        elif not (isinstance(value, dict) and (is_missing or step in known_fields(request, path, body))):
            continue
        path.append(step)
    return tuple(path[:LONGEST_PATH])


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, dict) and step in value


def _detail(item: Mapping[str, Any]) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    detail = _PLAIN_WORDS.get(kind, str(item["msg"]))
    if kind.startswith("datetime_"):
        return f"{detail}; write it as 2026-12-31T23:59:59Z"
    # What pydantic, and a choice of payloads, know of the words that they would take.
    words = re.findall(r"[\w-]+", str(context.get("expected") or context.get("known") or ""))
    if isinstance(item["input"], str) and (meant := closest(item["input"], words)):
        return f"{detail}; did you mean {meant}?"
    return detail
