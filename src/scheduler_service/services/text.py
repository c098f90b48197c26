"""Text that every database can keep."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, JsonValue


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character cannot be stored; remove it")
    return text


def _storable(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _without_nul(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _storable(item) for key, item in value.items()}
    return value


Text = Annotated[str, AfterValidator(_without_nul)]
"""Text without NUL, which PostgreSQL cannot keep; pydantic has refused lone surrogates already."""

StorableJson = Annotated[JsonValue, AfterValidator(_storable)]
