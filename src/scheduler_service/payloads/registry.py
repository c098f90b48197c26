"""Registers the payload kinds of this package and of installed packages.

A package adds a kind with an entry point in the group `scheduler_service.payloads`. The name of the entry point is the
kind's `type`; its object is the `Payload` subclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated

from pydantic import TypeAdapter

from scheduler_service.payloads.base import Payload
from scheduler_service.payloads.choice import Choice
from scheduler_service.payloads.http_request import HttpRequestPayload
from scheduler_service.payloads.number_crunching import NumberCrunchingPayload
from scheduler_service.payloads.plugins import load_plugins
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
        "http_request": HttpRequestPayload,
    }
)


@cache
def kinds() -> Mapping[str, type[Payload]]:
    """Return every kind by its `type`. Entry points are loaded once per process.

    A kind that fails to load is skipped with a warning. An entry point cannot replace a built-in kind.
    """
    added = load_plugins(GROUP, Payload, BUILT_IN, "payload_kind_left_out")  # type: ignore[type-abstract] # not called
    return MappingProxyType({**BUILT_IN, **added})


AnyPayload = Annotated[Payload, Choice("type", kinds)]
"""A payload of any kind, chosen by its `type`, for fields of pydantic models."""


@cache
def adapter() -> TypeAdapter[Payload]:
    """Return the validator and JSON schema source for payloads of any kind."""
    return TypeAdapter(AnyPayload)
