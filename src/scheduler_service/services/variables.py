"""The environment variables of a job, within the kernel's limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError

RESERVED_PREFIX = "SCHEDULER_"
ARGS_VARIABLE = "SCHEDULER_ARGS"
# execve(2): the Linux limit of a single string (MAX_ARG_STRLEN), including the name and the final NUL.
MAX_STRING_BYTES = 128 * 1024
# execve(2): all strings together may take a quarter of the stack limit, 2 MiB of the usual 8 MiB. Half of that is left
# for arguments, pointers and the service's own variables.
MAX_BYTES = 1024 * 1024
MAX_VARIABLES = 100

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DIRECTORY_VARIABLES = frozenset({"HOME", "TMPDIR"})


def check_name(name: str) -> str:
    """Return the name. Raise `ValueError` if jobs cannot set this variable."""
    if not _VARIABLE.fullmatch(name):
        raise ValueError(
            "invalid variable name; use letters, digits and underscores, and begin with a letter or underscore"
        )
    if name.startswith(RESERVED_PREFIX):
        raise ValueError(f"names that start with {RESERVED_PREFIX} are reserved for the service; choose another")
    if name in _DIRECTORY_VARIABLES:
        raise ValueError(
            "the service sets this variable to the working directory of the run; remove it or choose another name"
        )
    return name


def check_number(env: object) -> object:
    """Return the variables. Raise an error if there are too many, before each is checked."""
    if isinstance(env, dict) and len(env) > MAX_VARIABLES:
        context = {"field_type": "Dictionary", "max_length": MAX_VARIABLES, "actual_length": len(env)}
        raise PydanticKnownError("too_long", context)
    return env


def check_sizes(env: dict[str, str]) -> dict[str, str]:
    """Return the variables. Raise `ValidationError` or `ValueError` if no program could be started with them."""
    if wrong := list(_too_long(env)):
        raise ValidationError.from_exception_data("env", wrong)
    if (size := bytes_of(env)) > MAX_BYTES:
        raise ValueError(f"the variables take {size} bytes, and the limit is {MAX_BYTES}; shorten them")
    return env


def _too_long(env: Mapping[str, str]) -> Iterator[InitErrorDetails]:
    for name, value in env.items():
        if (size := bytes_of({name: value})) > MAX_STRING_BYTES:
            message = "takes {size} bytes with its name, and the limit is {most}; shorten it"
            sizes = {"size": size - 1, "most": MAX_STRING_BYTES - 1}
            yield InitErrorDetails(
                type=PydanticCustomError("variable_too_long", message, sizes), loc=(name,), input=value
            )


def bytes_of(env: Mapping[str, str]) -> int:
    """Return how many bytes the variables take in a program's environment."""
    return sum(len(f"{name}={value}\0".encode()) for name, value in env.items())
