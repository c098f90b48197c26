"""What pydantic says of a request, in the words and places of its author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from scheduler_service.api.problems import FieldError, clean, field_error
from scheduler_service.api.suggestions import known_fields, known_parameters, remedy
from scheduler_service.errors import FieldProblem

Path = tuple[str | int, ...]

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
    path = _as_written(location, body, is_missing=item["type"] == "missing")
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
    name = _as_typed(str(location[0]))
    if item["type"] in _UNKNOWN:
        detail = f"unknown query parameter; {remedy(name, known_parameters(request))}"
    else:
        detail = _detail(item)
    value = None if item["type"] == "missing" else item.get("input")
    return field_error(FieldProblem(name, detail, value), path=())


def _as_written(location: Sequence[str | int], body: object, *, is_missing: bool) -> Path:
    """Give the path of a field in the body, without the steps that are pydantic's own (`float`, `dict`, `[key]`)."""
    path: list[str | int] = []
    value: Any = body
    for step in location:
        if _has(value, step):
            value = value[step]
        elif not (isinstance(value, dict) and is_missing):
            continue
        path.append(step)
    return tuple(path)


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, dict) and step in value


def _detail(item: Mapping[str, Any]) -> str:
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    detail = _PLAIN_WORDS.get(item["type"], str(item["msg"]))
    if item["type"] in {"literal_error", "enum"} and isinstance(item["input"], str):
        expected = str(item["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        if len(hint := remedy(item["input"], expected)) and hint.startswith("did"):
            return f"{detail}; {hint}"
    return detail


def _as_typed(name: str) -> str:
    """Give a header its usual spelling; other names are as they are."""
    return clean("-".join(part.capitalize() for part in name.split("-")) if "-" in name else name)
