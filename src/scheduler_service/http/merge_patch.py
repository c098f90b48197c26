"""Request bodies that services validate, documented as a whole or as JSON merge patches (RFC 7396)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

MEDIA_TYPE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Described:
    """An annotation of a JSON object: a model documents it, and the service that reads it validates it.

    If FastAPI validated it, its errors would hide those that the service finds in the same body.
    """

    model: type[BaseModel]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = self.model.__pydantic_core_schema__
        if described["type"] == "model" and (name := described.get("ref")):
            # Refer to the component by name instead of repeating the schema in each operation.
            reference = core_schema.definition_reference_schema(name)
            described = core_schema.definitions_schema(reference, [described])
        return handler(core_schema.nullable_schema(described) if schema["type"] == "nullable" else described)


def patch_body(definition: type[BaseModel], title: str, examples: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a patch: all fields of a definition, each optional and nullable."""
    field = f"#/components/schemas/{definition.__name__}/properties"
    properties = {name: {"anyOf": [{"$ref": f"{field}/{name}"}, {"type": "null"}]} for name in definition.model_fields}
    schema = {"type": "object", "title": title, "additionalProperties": False, "properties": properties}
    media = {"schema": schema, "examples": examples}
    return {"requestBody": {"content": {MEDIA_TYPE: media, "application/json": media}}}
