"""What a user may expect of an HTTP response."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, PlainValidator, WithJsonSchema

from scheduler_service.payloads.json_path import parse_path
from scheduler_service.payloads.numbers import as_whole
from scheduler_service.payloads.stored_json import faults_of_json
from scheduler_service.payloads.stored_text import Storable

MAX_TEXT = 8192
MAX_PATHS = 20
DEFAULT_STATUS = "2xx"

_CLASSES = ("2xx", "3xx", "4xx", "5xx")
_LOWEST, _HIGHEST = 200, 599  # a status of 1xx is never the last word
_MAX_STATUSES = 32
_STATUS_SCHEMA = {
    "anyOf": [{"type": "integer", "minimum": _LOWEST, "maximum": _HIGHEST}, {"type": "string", "enum": list(_CLASSES)}]
}


def _check_status(value: object) -> object:
    if isinstance(value, list) and 1 <= len(value) <= _MAX_STATUSES:
        return [_check_one_status(each) for each in value]
    return _check_one_status(value)


def _check_one_status(value: object) -> object:
    number = as_whole(value)
    is_number = isinstance(number, int) and not isinstance(number, bool) and _LOWEST <= number <= _HIGHEST
    if not is_number and number not in _CLASSES:
        raise ValueError(
            f"must be a status from {_LOWEST} to {_HIGHEST}, one of {', '.join(_CLASSES)}, or a list of up to "
            f"{_MAX_STATUSES} of them"
        )
    return number


def _check_paths(paths: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for path, value in paths.items():
        parse_path(path)
        if (fault := next(faults_of_json(value), None)) is not None:
            raise ValueError(fault)
    return paths


class Expectations(BaseModel):
    """What a response must be; it is checked in this order."""

    model_config = ConfigDict(title="Expectations", extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    status: Annotated[
        int | str | list[int | str],
        PlainValidator(_check_status),
        WithJsonSchema(
            {"anyOf": [*_STATUS_SCHEMA["anyOf"], {"type": "array", "items": _STATUS_SCHEMA, "minItems": 1}]}
        ),
        Field(description="The status, or a list of them: numbers, or `2xx` to `5xx`. Default `2xx`."),
    ] = DEFAULT_STATUS
    body_contains: Annotated[
        Annotated[str, Field(min_length=1, max_length=MAX_TEXT), Storable] | None,
        Field(
            description="Text in the first MiB of the body, compared as UTF-8, up to 8,192 characters. Default: any."
        ),
    ] = None
    json_path: Annotated[
        dict[Annotated[str, Field(max_length=512), Storable], JsonValue],
        Field(
            max_length=MAX_PATHS,
            description='Values in a JSON body, by their paths: `$.status`, `$.items[0].id`, `$["a name"]`. Default: '
            "none.",
        ),
        AfterValidator(_check_paths),
    ] = {}

    def parameters(self) -> dict[str, Any]:
        """Return the expectations in the form that the program takes."""
        paths = [{"path": path, "steps": parse_path(path), "value": value} for path, value in self.json_path.items()]
        statuses = self.status if isinstance(self.status, list) else [self.status]
        return {"status": statuses, "body_contains": self.body_contains, "json_path": paths}
