"""Types of settings with a structure, and their error messages."""

from __future__ import annotations

import json
import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, field_validator
from pydantic_settings import NoDecode

# A tag becomes part of a queue name, so it contains no character that needs quoting.
ROUTED_TAG = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_ENVIRONMENTS_FORM = 'write {"science": {"python": "/opt/science/bin/python", "preload": ["numpy"]}}'

UNIX_SOCKET = "unix"
Proxy = IPv4Network | IPv6Network | str
"""A network whose members are trusted, or UNIX_SOCKET for clients that have no address."""


class PythonEnvironment(BaseModel):
    """A Python that jobs can name in `environment`: an interpreter, and modules imported once for all runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    python: Path
    preload: tuple[str, ...] = ("numpy",)

    @field_validator("python")
    @classmethod
    def _can_be_run(cls, python: Path) -> Path:
        if not (python.is_file() and os.access(python, os.X_OK)):
            raise ValueError(f"{str(python)!r} is not an executable file; name a Python interpreter")
        return python


def _check_alive_file(path: Path) -> Path:
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a directory; name a file")
    if not path.parent.is_dir():
        raise ValueError(f"the directory {str(path.parent)!r} does not exist; create it or name another file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{str(path)!r} is not writable; make it writable or name another file")
    return path


def _read_level(value: object) -> object:
    # An unknown level is returned unchanged, so that the error shows it as written.
    return value.upper() if isinstance(value, str) and value.upper() in _LEVELS else value


def _split_tags(value: object) -> object:
    if not isinstance(value, str):
        return value
    tags = tuple(tag for part in value.split(",") if (tag := part.strip()))
    for tag in tags:
        if not ROUTED_TAG.fullmatch(tag):
            raise ValueError(
                f"invalid tag {tag!r}; write 1 to 64 letters, digits, - and _, and separate tags by commas"
            )
    return tags


def _split_names(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = tuple(name for part in value.split(",") if (name := part.strip()))
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"invalid name {name!r}; write letters, digits, -, _ and ., and separate names by commas")
    return names


def _read_proxies(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(_read_proxy(proxy) for part in value.split(",") if (proxy := part.strip()))


def _read_proxy(text: str) -> Proxy:
    if text == UNIX_SOCKET:
        return text
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"invalid proxy {text!r} ({error}); write an address such as 10.0.0.5, a network such as 10.0.0.0/24, or "
            f"{UNIX_SOCKET} for the clients of a UNIX socket"
        ) from None


def _read_environments(value: object) -> object:
    try:
        read = json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"not JSON ({error}); {_ENVIRONMENTS_FORM}") from None
    if not isinstance(read, dict):
        raise ValueError(f"not a JSON object; {_ENVIRONMENTS_FORM}")  # noqa: TRY004 (pydantic passes no TypeError on)
    return read


AliveFile = Annotated[Path, AfterValidator(_check_alive_file)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_read_level)]
# NoDecode: parsed here. pydantic-settings would accept only JSON, and its errors do not name the variable.
Tags = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_tags)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_names)]
Proxies = Annotated[tuple[Any, ...], NoDecode, BeforeValidator(_read_proxies)]
PythonEnvironments = Annotated[dict[str, PythonEnvironment], NoDecode, BeforeValidator(_read_environments)]
