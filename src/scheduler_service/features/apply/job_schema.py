"""The JSON Schema of job files, for editors. It is made from the models of jobs and payloads."""

from __future__ import annotations

from functools import cache
from typing import Any

from scheduler_service.services.job_definition import JobDefinition

CODE_FILES = {"code": "code_file", "script": "script_file"}
"""Fields of payloads with text, and the fields of files that name the file with this text."""
KEY = "external_key"
PATH = "/api/v1/schemas/job.json"


@cache
def job_schema() -> dict[str, Any]:
    """Return the schema of one document of a job file, which can also be a list of jobs."""
    schema = JobDefinition.model_json_schema(ref_template="#/$defs/{model}")
    definitions = schema.pop("$defs")
    for definition in definitions.values():
        for field, file_field in CODE_FILES.items():
            if field in definition.get("properties", {}) and "type" in definition["properties"]:
                _accept_file(definition, field, file_field)
    _accept_key(definitions["UpstreamJob"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": PATH,
        "title": "Jobs of Scheduler Service",
        "if": {"type": "array"},
        "then": {"items": {"$ref": "#/$defs/JobDefinition"}},
        "else": {"$ref": "#/$defs/JobDefinition"},
        "$defs": {**definitions, "JobDefinition": schema},
    }


def _accept_key(upstream: dict[str, Any]) -> None:
    """Add to an upstream job the field that names it by its key, in place of its id."""
    upstream["properties"][KEY] = {"type": "string", "description": "Key of a job of the same owner, or its name."}
    upstream["required"] = [name for name in upstream["required"] if name != "job"]
    upstream["oneOf"] = [{"required": ["job"]}, {"required": [KEY]}]


def _accept_file(definition: dict[str, Any], field: str, file_field: str) -> None:
    """Add to a payload the field that names a file, in place of the text of a field."""
    definition["properties"][file_field] = {
        "type": "string",
        "description": f"File with the text of `{field}`, relative to this file.",
    }
    if field in definition.get("required", ()):
        definition["required"] = [name for name in definition["required"] if name != field]
        definition["oneOf"] = [{"required": [field]}, {"required": [file_field]}]
