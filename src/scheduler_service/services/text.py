"""Text that every database can keep."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, JsonValue


def _storable_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character cannot be stored; remove it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate is no character and has no UTF-8; remove it") from None
    return text


def _storable(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable_text(key): _storable(item) for key, item in value.items()}
    return value


Storable = AfterValidator(_storable_text)
"""For the fields of models, behind constraints: pydantic applies those that follow a validator in another order."""

Text = Annotated[str, Storable]
"""Text without NUL, which PostgreSQL cannot keep, and without lone surrogates, which JSON can spell."""

StorableJson = Annotated[JsonValue, AfterValidator(_storable)]
