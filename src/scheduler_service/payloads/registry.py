"""Registers the payload kinds of this package and of installed packages.

A package adds a kind with an entry point in the group `scheduler_service.payloads`. The name of the entry point is the
kind's `type`; its object is the `Payload` subclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import isabstract
from types import MappingProxyType
from typing import Annotated, cast, get_args

import structlog
from pydantic import TypeAdapter

from scheduler_service.payloads.base import Payload
from scheduler_service.payloads.choice import Choice
from scheduler_service.payloads.number_crunching import NumberCrunchingPayload
from scheduler_service.payloads.program import ProgramPayload
from scheduler_service.payloads.python_code import PythonCodePayload
from scheduler_service.payloads.shell_script import ShellScriptPayload

GROUP = "scheduler_service.payloads"

# Listed here and as entry points, because entry points exist only if the package is installed. After `pip install -r
# requirements.txt` alone it is not.
BUILT_IN: Mapping[str, type[Payload]] = MappingProxyType(
    {
        "python_code": PythonCodePayload,
        "shell_script": ShellScriptPayload,
        "number_crunching": NumberCrunchingPayload,
        "program": ProgramPayload,
    }
)

log = structlog.get_logger(__name__)


@cache
def kinds() -> Mapping[str, type[Payload]]:
    """Return every kind by its `type`. Entry points are loaded once per process.

    A kind that fails to load is skipped with a warning. An entry point cannot replace a built-in kind.
    """
    found = dict(BUILT_IN)
    for entry_point in entry_points(group=GROUP):
        if entry_point.name not in BUILT_IN and (kind := _load(entry_point)) is not None:
            found[entry_point.name] = kind
    return MappingProxyType(found)


AnyPayload = Annotated[Payload, Choice("type", kinds)]
"""A payload of any kind, chosen by its `type`, for fields of pydantic models."""


@cache
def adapter() -> TypeAdapter[Payload]:
    """Return the validator and JSON schema source for payloads of any kind."""
    return TypeAdapter(AnyPayload)


def _load(entry_point: EntryPoint) -> type[Payload] | None:
    try:
        kind = entry_point.load()
    except Exception as error:  # noqa: BLE001 (others' code: whatever it raises, the service starts)
        reason: str | None = f"{type(error).__name__}: {error}"
    else:
        reason = _fault(kind, entry_point.name)
        if reason is None:
            return cast("type[Payload]", kind)
    log.warning("payload_kind_left_out", kind=entry_point.name, origin=entry_point.value, reason=reason)
    return None


def _fault(kind: object, name: str) -> str | None:
    if not (isinstance(kind, type) and issubclass(kind, Payload)) or isabstract(kind):
        return "not a class below Payload that has a command()"
    field = kind.model_fields.get("type")
    if field is None or get_args(field.annotation) != (name,):
        return f'must have a field `type: Literal["{name}"]`'
    return None
