"""The type of a JSON object that a client sends or is shown."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

JsonDocument = Mapping[str, JsonValue]
