"""Translates pydantic errors into this API's messages: what is required, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scheduler_service.http.suggestions import closest
from scheduler_service.http.synonyms import meant_by_word

_INSTANT = "write it as 2026-12-31T23:59:59Z"
_WHOLE = "must be a whole number, such as 3"
_NUMBER = "must be a number, such as 1.5"
_BOOLEAN = "must be true or false, without quotes"
_OBJECT = "must be a JSON object"
# Placeholders are keys of pydantic's `ctx`.
_TEXTS: Mapping[str, str] = {
    "missing": "required; add it",
    "string_type": 'must be text in double quotes, such as "a"',
    "string_unicode": "a lone surrogate cannot be encoded as UTF-8; remove it",
    "string_too_short": "must not be empty or blank; write at least {min_length} character{s}",
    "string_too_long": "must have at most {max_length} character{s}; shorten it",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number, such as 1.5",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "list_type": "must be a JSON array",
    "too_short": "must have at least {min_length} item{s}; add one",
    "too_long": "must have at most {max_length} item{s}; remove some",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "object_type": _OBJECT,
    "recursion_depth_exceeded": "nested too deeply",
    "timezone_aware": f"needs an offset from UTC, such as Z or +01:00; {_INSTANT}",
    "union_tag_not_found": "needs the field {discriminator}",
}
_CHOICES = {
    "literal_error": "expected",
    "enum": "expected",
    "unknown_option": "known",
    "union_tag_invalid": "expected_tags",
}
_QUOTED = re.compile(r"\s*-?\d{1,20}(\.\d{1,20})?\s*", re.ASCII)
# In a URL, + encodes a space, so an offset loses its sign.
_LOST_PLUS = re.compile(r".*T[\d:.]+ (\d\d:?\d\d)")


def detail_of(item: Mapping[str, Any]) -> str:
    """Return the message for a wrong field of a body."""
    detail = _detail(item)
    is_quoted = isinstance(item["input"], str) and detail in {_WHOLE, _NUMBER} and _QUOTED.fullmatch(item["input"])
    return f"{detail}; remove the quotes" if is_quoted else detail


def detail_of_parameter(item: Mapping[str, Any]) -> str:
    """Return the message for a wrong parameter. Parameters are text, and some characters have a meaning in URLs."""
    value = item["input"]
    if isinstance(value, str) and (offset := _LOST_PLUS.fullmatch(value)):
        return f"in a URL, + encodes a space; write %2B{offset[1]}"
    return _detail(item)


def _detail(item: Mapping[str, Any]) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind.startswith("datetime_"):
        return f"not an instant{_reason(context)}; {_INSTANT}"
    if kind in _CHOICES:
        return _choice(context, _CHOICES[kind], item["input"])
    if (text := _TEXTS.get(kind)) is None:
        return str(item["msg"])
    return text.format(
        s="" if 1 in context.values() else "s", **{name: _plain(value) for name, value in context.items()}
    )


def _reason(context: Mapping[str, Any]) -> str:
    return f" ({context['error']})" if "error" in context else ""


def _choice(context: Mapping[str, Any], name: str, value: object) -> str:
    words = [word for word in re.findall(r"[\w-]+", str(context[name])) if word != "or"]
    kind = "" if "discriminator" not in context else f"{context['discriminator']} "
    given = context.get("tag", value)
    meant = (meant_by_word(given, words) or closest(given, words)) if isinstance(given, str) else None
    return f"{kind}must be one of {', '.join(words)}{f'; did you mean {meant}?' if meant else ''}"


def _plain(value: object) -> object:
    """Return a limit in its usual notation: 1e150 instead of 151 digits, 604800 instead of 604800.0."""
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() and abs(value) < 2**53 else f"{value:g}"
