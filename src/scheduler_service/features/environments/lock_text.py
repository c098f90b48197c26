"""The text of a lock: the Python that it is for, and one line for each package with the hashes of its wheels.

    # cpython-311-x86_64-linux-gnu
    numpy==2.4.6 --hash=sha256:0123… --hash=sha256:4567…
    pandas==3.1.1 --hash=sha256:89ab…

A lock may say nothing else. Whatever stands in the database, uv is never given an option, an address or a path from it.
"""

from __future__ import annotations

import hashlib
import re
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

ID_CHARACTERS = 32
_ENTRY = re.compile(
    r"(?P<name>[a-z0-9]([a-z0-9-]*[a-z0-9])?)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)"
    r"(?P<hashes>( --hash=sha256:[0-9a-f]{64})+)"
)


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One package of a lock."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((f"{self.name}=={self.version}", *(f"--hash={each}" for each in self.hashes)))


def own_python() -> str:
    """Return the name of this interpreter's kind, by which its wheels are chosen: version, processor and C library."""
    return str(sysconfig.get_config_var("SOABI") or sysconfig.get_platform())


def id_of(text: str) -> str:
    """Return the id of the environment that a lock describes."""
    return hashlib.sha256(text.encode()).hexdigest()[:ID_CHARACTERS]


def build_lock(compiled: str) -> str:
    """Return the lock in the output of `uv pip compile`. Raise ValueError if a line is not a package with hashes."""
    joined = compiled.replace("\\\n", " ").splitlines()
    lines = [" ".join(line.split()) for line in joined if line.strip() and not line.lstrip().startswith("#")]
    return f"# {own_python()}\n" + "".join(f"{package}\n" for package in _parse(lines))


def parse_lock(text: str) -> tuple[str, tuple[LockedPackage, ...]]:
    """Return the Python that a lock is for, and its packages. Raise ValueError if it says anything else."""
    heading, *lines = text.splitlines()
    if not heading.startswith("# "):
        raise ValueError("the lock does not begin with the Python that it is for")
    return heading[2:], tuple(_parse(lines))


def names_in(text: str) -> list[str]:
    """Return `name==version` of each package in a lock, or nothing if it cannot be read."""
    try:
        return [f"{package.name}=={package.version}" for package in parse_lock(text)[1]]
    except ValueError:
        return []


def _parse(lines: Iterable[str]) -> Iterator[LockedPackage]:
    for line in lines:
        match = _ENTRY.fullmatch(line)
        if match is None:
            raise ValueError(f"not a package with its hashes: {line[:80]!r}")
        hashes = tuple(word.removeprefix("--hash=") for word in match["hashes"].split())
        yield LockedPackage(match["name"], match["version"], hashes)
