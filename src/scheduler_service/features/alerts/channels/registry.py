"""The kinds of channel: one module of this package each, and those that installed packages add.

A package adds a kind by an entry point in the group `scheduler_service.alert_channels`, whose name is the kind's `type`
and whose object is its class, a `Channel`. Definitions, their checks and the API's documentation follow from here.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from inspect import isabstract
from types import MappingProxyType
from typing import Annotated, Any, get_args

from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from scheduler_service.features.alerts import channels
from scheduler_service.features.alerts.channels.base import Channel
from scheduler_service.payloads.plugins import load_plugins

GROUP = "scheduler_service.alert_channels"


@cache
def kinds() -> Mapping[str, type[Channel]]:
    """Return every kind by its `type`. The modules and packages are searched once a process."""
    built_in = {_type_of(kind): kind for kind in _built_in()}
    added = load_plugins(GROUP, Channel, built_in, "channel_kind_left_out")  # type: ignore[type-abstract] # not called
    return MappingProxyType({**built_in, **added})


class _AnyKind:
    """An annotation: the value is validated by the kind that its `type` names."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {name: handler.generate_schema(kind) for name, kind in kinds().items()}
        return core_schema.tagged_union_schema(choices, "type")


AnyChannel = Annotated[Channel, _AnyKind()]
"""A channel of any kind, for the fields of pydantic models."""


@cache
def adapter() -> TypeAdapter[Channel]:
    """Return the validator of channels of any kind."""
    return TypeAdapter(AnyChannel)


def read_channel(stored: Mapping[str, Any]) -> Channel:
    """Return a stored channel; raises `ValidationError` if its kind is not installed any more."""
    return adapter().validate_python(stored)


def unmasked(sent: Mapping[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a channel that was sent, with the secrets of the stored one in place of masks; `stored` None: new.

    Raises `InvalidInputError` for a mask without a secret to put in its place.
    """
    is_same_kind = stored is not None and stored["type"] == sent["type"]
    return kinds()[sent["type"]].unmasked(sent, stored if is_same_kind else None)


def _built_in() -> Iterator[type[Channel]]:
    for found in pkgutil.iter_modules(channels.__path__, f"{channels.__name__}."):
        module = import_module(found.name)
        for value in vars(module).values():
            is_kind = isinstance(value, type) and issubclass(value, Channel) and not isabstract(value)
            if is_kind and value.__module__ == module.__name__:  # not one that the module imports
                yield value


def _type_of(kind: type[Channel]) -> str:
    (name,) = get_args(kind.model_fields["type"].annotation)
    return str(name)
