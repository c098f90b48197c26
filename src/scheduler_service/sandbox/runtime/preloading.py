"""Imports modules in a zygote, before there is a run.

In an environment with packages, only the modules that the service names are found among the packages. Nothing that they
import in turn is found there, unless it is a part of them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder


class _TrustedFinder:
    """Finds only top-level modules with these names in a directory."""

    def __init__(self, names: Iterable[str], directory: str) -> None:
        self._names = frozenset(name.partition(".")[0] for name in names)
        self._directory = directory

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002 (as importlib calls it)
        """Return the spec of a module, or None."""
        if path is not None or name not in self._names:
            return None
        return PathFinder.find_spec(name, [self._directory])


def preload(names: Sequence[str], packages: str) -> None:
    """Import modules, among them those of the directory `packages` unless that is empty. Leave out what is missing."""
    finder = _TrustedFinder(names, packages)
    if packages:
        sys.meta_path.append(finder)
    for name in names:
        with suppress(ImportError):
            importlib.import_module(name)
    if packages:
        sys.meta_path.remove(finder)
