"""Bodies that services judge: how they are described, whole or as JSON merge patches (RFC 7396)."""

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
    """An annotation of a JSON object: it is described by a model, and judged by the service that reads it.

    FastAPI would stop at what the model says, and hide what the service has to say of the same body.
    """

    model: type[BaseModel]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = self.model.__pydantic_core_schema__
        if described["type"] == "model" and (name := described.get("ref")):
            # Named in the components, as other models are, and not written out in each operation.
            reference = core_schema.definition_reference_schema(name)
            described = core_schema.definitions_schema(reference, [described])
        return handler(described)


def patch_body(definition: type[BaseModel], title: str, examples: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a patch: the fields of a definition, each as there or null."""
    field = f"#/components/schemas/{definition.__name__}/properties"
    properties = {name: {"anyOf": [{"$ref": f"{field}/{name}"}, {"type": "null"}]} for name in definition.model_fields}
    schema = {"type": "object", "title": title, "additionalProperties": False, "properties": properties}
    media = {"schema": schema, "examples": examples}
    return {"requestBody": {"content": {MEDIA_TYPE: media, "application/json": media}}}
