"""Hints and defaults of the editor's controls, from the model that the API documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from scheduler_service.payloads import registry
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.web.labels import as_hint
from scheduler_service.web.texts import text

_SMALLEST = {"name": "a", "schedule_expr": None, "payload": {"type": "shell_script", "script": "true"}}
# Hints of fields whose description speaks of other fields.
_WRITTEN = {
    "/max_concurrency": "max_concurrency_hint",
    "/catchup_limit": "catchup_hint",
    "/concurrency_key": "concurrency_key_hint",
    "/jitter_seconds": "jitter_hint",
}


@cache
def hints() -> Mapping[str, str]:
    """Return the description of each field by its pointer."""
    found = dict(_described(JobDefinition.model_json_schema()))
    for kind in registry.kinds().values():
        found |= {f"/payload{pointer}": told for pointer, told in _described(kind.model_json_schema())}
    in_words = {pointer: as_hint(description) for pointer, description in found.items()}
    return in_words | {pointer: text(f"editor.{name}") for pointer, name in _WRITTEN.items()}


@cache
def defaults() -> Mapping[str, Any]:
    """Return a definition in which every optional field has its default."""
    return JobDefinition.model_validate(_SMALLEST).model_dump(mode="json")


def _described(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    definitions = schema.get("$defs", {})

    def walk(part: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
        for name, field in part.get("properties", {}).items():
            pointer = f"{prefix}/{name}"
            if "description" in field:
                yield pointer, field["description"]
            for each in (field, *field.get("allOf", ()), *field.get("anyOf", ())):
                if "$ref" in each and name != "payload":
                    yield from walk(definitions[each["$ref"].rpartition("/")[2]], pointer)

    return walk(schema, "")
