"""Imports modules in a zygote, before there is a run.

In an environment with packages, only the modules that the service names are found among the packages. Nothing that they
import in turn is found there, unless it is a part of them.
"""

from __future__ import annotations

import ctypes
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


_NO_CLEANING_UP = 0x0008_0000  # OPENSSL_INIT_NO_ATEXIT


def preload(names: Sequence[str], packages: str) -> None:
    """Import modules, among them those of the directory `packages` unless that is empty. Leave out what is missing."""
    if names:
        _spare_openssl_the_end()
    finder = _TrustedFinder(names, packages)
    if packages:
        sys.meta_path.append(finder)
    for name in names:
        with suppress(ImportError):
            importlib.import_module(name)
    if packages:
        sys.meta_path.remove(finder)


def _spare_openssl_the_end() -> None:
    """Keep OpenSSL from freeing all its memory when a process exits.

    A forked process would copy hundreds of pages for that, more than for an ordinary script. OpenSSL must be told
    before it is first used. So it is loaded with the library of the module that will use it first.
    """
    spec = PathFinder.find_spec("_hashlib")
    if spec is not None and spec.origin is not None:
        with suppress(OSError, AttributeError):  # a Python without OpenSSL, or one with it built in
            ctypes.CDLL(spec.origin).OPENSSL_init_crypto(ctypes.c_uint64(_NO_CLEANING_UP), None)
