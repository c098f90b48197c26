"""The arguments of a job: JSON that fits into one variable and that every database and response can hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue
from pydantic_core import InitErrorDetails, PydanticCustomError

from scheduler_service.payloads.bounded import refusal
from scheduler_service.payloads.stored_json import faults_of_json, written_out
from scheduler_service.payloads.stored_text import fault_of_text
from scheduler_service.services.variables import ARGS_VARIABLE, MAX_BYTES, MAX_STRING_BYTES, bytes_of

ROOM = MAX_STRING_BYTES - len(f"{ARGS_VARIABLE}=\0")


def check_values(args: object) -> object:
    """Return the arguments.

    Raise `ValueError` if they are too long, `ValidationError` for values that cannot be stored.

    The length is checked first, because it limits the work on the values.
    """
    if not isinstance(args, dict):
        return args
    try:
        _check_length(len(json.dumps(args)))
    except RecursionError:  # the model refuses values nested this deeply
        return args
    if wrong := list(_faults(args)):
        raise refusal("args", wrong)
    return args


def check_args(args: dict[str, JsonValue], env: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return the arguments. Raise `ValueError` if they do not fit into their variable, alone or together with `env`."""
    text = json.dumps(json.loads(json.dumps(args), parse_float=written_out))  # in the form that an attempt receives
    _check_length(len(text))
    if (size := bytes_of({**env, ARGS_VARIABLE: text})) > MAX_BYTES:
        raise ValueError(f"the variables and arguments take {size} bytes, and the limit is {MAX_BYTES}; shorten them")
    return args


def _check_length(length: int) -> None:
    if length > ROOM:
        raise ValueError(f"take {length} bytes as JSON in {ARGS_VARIABLE}, and the limit is {ROOM}; shorten them")


def _faults(args: Mapping[str, Any]) -> Iterator[InitErrorDetails]:
    """Yield one error for each invalid argument."""
    for name, value in args.items():
        if (fault := fault_of_text(name) or next(faults_of_json(value), None)) is not None:
            yield InitErrorDetails(
                type=PydanticCustomError("argument", "{text}", {"text": fault}), loc=(name,), input=value
            )
