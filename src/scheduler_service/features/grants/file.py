"""The grants file: what an operator lets jobs reach, by name, as `SCHEDULER_GRANTS_FILE` says it in TOML.

```toml
[backup]
description = "Nightly archives"
read = ["/data"]
write = ["/backup"]
owners = ["ops"]

[warehouse]
connect = ["db.internal:5432", "10.20.0.0/16:443", "public:443"]
sockets = ["/run/postgresql/.s.PGSQL.5432"]
```
"""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from scheduler_service.domain.grants import GrantRule, GrantRules
from scheduler_service.errors import ConfigurationError
from scheduler_service.features.grants.destinations import NamedDestination, parse_destination

VARIABLE = "SCHEDULER_GRANTS_FILE"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MAX_BYTES = 1 << 20


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not absolute; write the whole path, such as /data")
    if ".." in path.split("/") or "\0" in path:
        raise ValueError(f"{path!r} contains ..; write the path without it")
    return re.sub(r"/+(\./+)*", "/", path).removesuffix("/.").rstrip("/") or "/"


def _reachable(text: str) -> str:
    parse_destination(text)
    return text


_Path = Annotated[str, AfterValidator(_absolute)]
_Destination = Annotated[str, AfterValidator(_reachable)]
_Owner = Annotated[str, Field(min_length=1, max_length=128)]


class Grant(BaseModel):
    """What one name opens. Without `owners`, every owner's jobs may ask for it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    description: str = ""
    read: list[_Path] = []
    write: list[_Path] = []
    connect: list[_Destination] = []
    sockets: list[_Path] = []
    owners: list[_Owner] | None = None

    @model_validator(mode="after")
    def _opens_something(self) -> Grant:
        if not (self.read or self.write or self.connect or self.sockets):
            raise ValueError("grants nothing; add read, write, connect or sockets")
        for path in self.read:
            for above in self.write:
                if path.startswith(f"{above}/"):
                    raise ValueError(
                        f"read {path!r} lies in write {above!r}, where everything can be written; remove it"
                    )
        return self

    @property
    def destinations(self) -> list[NamedDestination]:
        """The destinations of `connect`."""
        return [parse_destination(text) for text in self.connect]

    @property
    def rule(self) -> GrantRule:
        """Whose jobs may ask for it."""
        return GrantRule(None if self.owners is None else frozenset(self.owners))


Grants = dict[str, Grant]


def read_grants(path: Path | None) -> Grants:
    """Return the grants of a file by their names, none without a file.

    Raise ConfigurationError with one line that names the file, the grant, the value and the remedy.
    """
    if path is None:
        return {}
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigurationError(f"{VARIABLE}: {path} is larger than {_MAX_BYTES >> 20} MiB")
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{VARIABLE}: cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{VARIABLE}: {path} is not TOML: {error}") from None
    return {name: _read_grant(path, name, fields) for name, fields in document.items()}


def rules_of(grants: Grants) -> GrantRules:
    """Return whose jobs may ask for which grants."""
    return {name: grant.rule for name, grant in grants.items()}


def _read_grant(path: Path, name: str, fields: object) -> Grant:
    if not NAME.fullmatch(name):
        _refuse(path, name, "a name has up to 64 letters, digits, _ and -, and begins with a letter or digit")
    if not isinstance(fields, dict):
        _refuse(path, name, f"is {fields!r}, not a table; write [{name}] and its keys below")
    try:
        return Grant.model_validate(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        _refuse(path, name, f"{key}: {_explain(problem['type'], key, problem['msg'])}" if key else problem["msg"])


def _explain(kind: str, key: str, message: str) -> str:
    if kind == "extra_forbidden":
        known = list(Grant.model_fields)
        meant = get_close_matches(key, known, n=1)
        return f"unknown key; did you mean {meant[0]}?" if meant else f"unknown key; known: {', '.join(known)}"
    return message.removeprefix("Value error, ")


def _refuse(path: Path, name: str, why: str) -> NoReturn:
    raise ConfigurationError(f"{VARIABLE}: {path}: grant {name!r}: {why.removeprefix('Value error, ')}")
