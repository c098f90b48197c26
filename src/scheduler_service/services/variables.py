"""The environment that a job asks for: variables by their names, within what the kernel passes to a program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError

RESERVED_PREFIX = "SCHEDULER_"
ARGS_VARIABLE = "SCHEDULER_ARGS"
# execve(2): Linux takes no longer string than this (MAX_ARG_STRLEN), counted with its name and the NUL at its end, …
LONGEST_STRING = 128 * 1024
# … and all strings together may take a quarter of the stack, which is 2 MiB of the usual 8. Half of it is left to the
# arguments of a program, to pointers and to what the service adds.
MOST_BYTES = 1024 * 1024
MOST_VARIABLES = 100

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OF_THE_DIRECTORY = frozenset({"HOME", "TMPDIR"})


def check_name(name: str) -> str:
    """Return the name back; raises `ValueError` for one that a job cannot set."""
    if not _VARIABLE.fullmatch(name):
        raise ValueError("a variable's name has letters, digits and underscores and does not start with a digit")
    if name.startswith(RESERVED_PREFIX):
        raise ValueError(f"names that start with {RESERVED_PREFIX} are the service's own; choose another")
    if name in _OF_THE_DIRECTORY:
        raise ValueError("this names the job's private working directory; leave it out, or choose another name")
    return name


def check_number(env: object) -> object:
    """Return the variables; raises an error for too many of them, before each is looked at."""
    if isinstance(env, dict) and len(env) > MOST_VARIABLES:
        context = {"field_type": "Dictionary", "max_length": MOST_VARIABLES, "actual_length": len(env)}
        raise PydanticKnownError("too_long", context)
    return env


def check_sizes(env: dict[str, str]) -> dict[str, str]:
    """Return the variables back; raises `ValidationError` or `ValueError` for what no program could be started with."""
    if wrong := list(_too_long(env)):
        raise ValidationError.from_exception_data("env", wrong)
    if (size := bytes_of(env)) > MOST_BYTES:
        raise ValueError(f"the variables take {size} bytes in all, and {MOST_BYTES} are the most")
    return env


def _too_long(env: Mapping[str, str]) -> Iterator[InitErrorDetails]:
    for name, value in env.items():
        if (size := bytes_of({name: value})) > LONGEST_STRING:
            message = "takes {size} bytes with its name, and {most} are the most; shorten it"
            sizes = {"size": size - 1, "most": LONGEST_STRING - 1}
            yield InitErrorDetails(
                type=PydanticCustomError("variable_too_long", message, sizes), loc=(name,), input=value
            )


def bytes_of(env: Mapping[str, str]) -> int:
    """Return what variables take of the room that a program gets for them."""
    return sum(len(f"{name}={value}\0".encode()) for name, value in env.items())
