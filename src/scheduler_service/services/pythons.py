"""The Python environments that jobs ask for by name, and those that there are."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler_service.errors import FieldProblem
from scheduler_service.payloads.python_code import PythonCodePayload
from scheduler_service.services.definition import JobDefinition
from scheduler_service.storage.records import JsonObject

FIELD = "payload.environment"


def problems(definition: JobDefinition, offered: frozenset[str] | None) -> Iterator[FieldProblem]:
    """Say what is wrong with the environment that is asked for; None: which there are is for the workers to say."""
    payload = definition.payload
    if offered is not None and isinstance(payload, PythonCodePayload) and payload.environment not in offered:
        message = f"there is no such environment here; there are {_listed(offered)}"
        yield FieldProblem(FIELD, message, payload.environment)


def warnings(payload: JsonObject, known: frozenset[str] | None) -> Iterator[str]:
    """Say that a stored payload asks for an environment which this process does not know; its workers may."""
    environment = payload.get("environment")
    if known is not None and payload["type"] == "python_code" and environment not in known:
        yield (
            f"{FIELD} is {environment}, and this server knows {_listed(known)}: a worker that does not know it either "
            "fails each run."
        )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
