"""The Python environments that an operator offers to jobs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

DEFAULT_NAME = "default"
DEFAULT_PRELOAD = ("numpy", "numpy.linalg", "numpy.random")


@dataclass(frozen=True, slots=True)
class PythonEnvironment:
    """An interpreter with its packages. Jobs ask for it by `name`.

    The modules in `preload` are imported once and shared by all runs, which saves each run the import. A module that is
    not installed is left out. One that starts threads must not be listed, because threads do not survive a fork.

    `packages` is a directory of packages that are not trusted. Code of it runs in jobs only, except for `preload`.
    """

    name: str = DEFAULT_NAME
    python: Path = Path(sys.executable)
    preload: tuple[str, ...] = DEFAULT_PRELOAD
    packages: Path | None = None


@dataclass(frozen=True, slots=True)
class Warmth:
    """How zygotes of environments with packages are kept warm: for how long after a run, and in how much memory."""

    idle_seconds: float = 600.0
    memory_mb: int = 512


DEFAULT_ENVIRONMENT = PythonEnvironment()
DEFAULT_WARMTH = Warmth()
