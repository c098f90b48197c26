"""Classes that installed packages add by entry points."""

from __future__ import annotations

from collections.abc import Container
from importlib.metadata import EntryPoint, entry_points
from inspect import isabstract
from typing import TypeVar, cast, get_args

import structlog
from pydantic import BaseModel

Kind = TypeVar("Kind", bound=BaseModel)

log = structlog.get_logger(__name__)


def load_plugins(group: str, base: type[Kind], built_in: Container[str], event: str) -> dict[str, type[Kind]]:
    """Return the classes below `base` of a group of entry points, by their `type`.

    A class that cannot be loaded is left out, and `event` is logged. None takes the name of a built-in one.
    """
    found: dict[str, type[Kind]] = {}
    for entry_point in entry_points(group=group):
        if entry_point.name not in built_in and (kind := _load(entry_point, base, event)) is not None:
            found[entry_point.name] = kind
    return found


def _load(entry_point: EntryPoint, base: type[Kind], event: str) -> type[Kind] | None:
    try:
        kind = entry_point.load()
    except Exception as error:  # noqa: BLE001 (others' code: whatever it raises, the service starts)
        reason: str | None = f"{type(error).__name__}: {error}"
    else:
        reason = _fault(kind, entry_point.name, base)
        if reason is None:
            return cast("type[Kind]", kind)
    log.warning(event, kind=entry_point.name, origin=entry_point.value, reason=reason)
    return None


def _fault(kind: object, name: str, base: type[BaseModel]) -> str | None:
    if not (isinstance(kind, type) and issubclass(kind, base)) or isabstract(kind):
        methods = ", ".join(f"{method}()" for method in sorted(getattr(base, "__abstractmethods__", ())))
        return f"not a class below {base.__name__} that has {methods}"
    field = kind.model_fields.get("type")
    if field is None or get_args(field.annotation) != (name,):
        return f'must have a field `type: Literal["{name}"]`'
    return None
