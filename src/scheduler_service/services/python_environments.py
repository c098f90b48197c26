"""Checks the Python environment that a job names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scheduler_service.domain.records import JsonObject
from scheduler_service.errors import FieldProblem
from scheduler_service.sandbox.contract.environment import DEFAULT_NAME

FIELD = "payload.environment"


def problems(payload: object, offered: frozenset[str] | None) -> Iterator[FieldProblem]:
    """Yield a problem if a payload names an unknown environment. `offered` None means that workers decide."""
    if offered is None or not isinstance(payload, Mapping) or payload.get("type") != "python_code":
        return
    environment = payload.get("environment", DEFAULT_NAME)
    if isinstance(environment, str) and environment not in offered:
        message = f'unknown environment "{environment}"; available: {_listed(offered)}'
        yield FieldProblem(FIELD, message, environment)


def warnings(payload: JsonObject, known: frozenset[str] | None) -> Iterator[str]:
    """Yield a warning if a stored payload names an environment unknown to this process. Workers may know it."""
    environment = payload.get("environment")
    if known is not None and payload["type"] == "python_code" and environment not in known:
        yield (
            f"{FIELD} is {environment}, and this server knows {_listed(known)}: a worker that does not know it either "
            "fails each run."
        )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
