"""JSON merge patch (RFC 7396)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue


def merge(target: Mapping[str, JsonValue], patch: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Apply a merge patch to a document: null removes a member, an object is merged, all else replaces."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            current = merged.get(name)
            merged[name] = merge(current if isinstance(current, dict) else {}, value)
        else:
            merged[name] = value
    return merged
