"""JSON merge patches (RFC 7396): how they are described, and how what is wrong with one is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, JsonValue, ValidationError

MEDIA_TYPE = "application/merge-patch+json"


def patch_body(definition: type[BaseModel], title: str, examples: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a patch: the fields of a definition, each as there or null."""
    field = f"#/components/schemas/{definition.__name__}/properties"
    properties = {name: {"anyOf": [{"$ref": f"{field}/{name}"}, {"type": "null"}]} for name in definition.model_fields}
    schema = {"type": "object", "title": title, "additionalProperties": False, "properties": properties}
    media = {"schema": schema, "examples": examples}
    return {"requestBody": {"content": {MEDIA_TYPE: media, "application/json": media}}}


@contextmanager
def refused_as_sent(changes: Mapping[str, JsonValue]) -> Iterator[None]:
    """Tell what is wrong with the definition that a patch leads to as what is wrong with its body."""
    try:
        yield
    except ValidationError as error:
        located = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(located, body=changes) from None
