"""Prepare a forked interpreter for the script that it is about to run as `__main__`.

CPython runs the script and ends the process (see `startup/sitecustomize.py`). What is left to do here is to make the
preloaded interpreter look as if it had just been started, in the job's directory and with the job's environment.
"""

from __future__ import annotations

import atexit
import gc
import mmap
import os
import sys
import time
from _random import Random
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from scheduler_service.sandbox.runtime.library_ends import LibraryEnds
from scheduler_service.sandbox.runtime.python_end import Leftovers, ScriptEnd

FILE = "job.py"
"""The script, in the job's working directory. Tracebacks show this name, not where the host keeps the directory."""

_READ_AT_START = ("PYTHON", "LC_", "LD_", "MALLOC_", "OMP_", "OPENBLAS_", "MKL_", "BLIS_", "NPY_", "NUMPY_")
_NAMES_READ_AT_START = frozenset({"LANG", "GLIBC_TUNABLES"})


def variables_read_at_start(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that have an effect only when an interpreter or its libraries start."""
    return sorted(name for name in environment if name.startswith(_READ_AT_START) or name in _NAMES_READ_AT_START)


class Interpreter(NamedTuple):
    """What a zygote that runs Python code knows of its interpreter.

    Scripts may import from the directory `packages`, unless that is empty. `generators` are those of `random`.
    """

    packages: str
    generators: Sequence[Random]
    libraries: LibraryEnds


class ScriptStart:
    """Makes forked processes ready for CPython to run `job.py` of the working directory.

    Made once, in the process that forks them; `begin` is called in each. `python_end` describes `note`. `environment`
    has the variables of all scripts.
    """

    def __init__(self, interpreter: Interpreter, note: mmap.mmap, environment: Mapping[str, str]) -> None:
        self._packages = interpreter.packages
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # readers of logs see each line at once
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        self._leftovers = Leftovers(note, interpreter.libraries)
        atexit.register(self._leftovers.keep_modules)
        self._processes: Any = sys.modules.get("multiprocessing.process")
        self._loaders: Any = import_module("_frozen_importlib_external")

    def begin(self, environment: Mapping[str, str]) -> None:
        """Complete the interpreter for the script, with what differs in its environment, in its directory."""
        if self._packages:  # not before: until it is confined, this process must not run code from there
            sys.path.append(self._packages)
        for name, value in environment.items():  # `update` would do more than that
            os.environ[name] = value
        if "TZ" in environment:
            time.tzset()
        directory = os.getcwd()
        if self._processes:
            self._processes.ORIGINAL_DIR = directory
        gc.freeze()  # the script sees no objects of ours among those that the collector knows
        main = sys.modules["__main__"] = _copy(sys.modules["__main__"])
        _complete_later(self._loaders, main, f"{directory}/{FILE}", ScriptEnd(self._leftovers))


def _copy(main: ModuleType) -> ModuleType:
    """Copy the empty `__main__`: the collector leaves the frozen one alone, with all cycles that lead through it."""
    copy = ModuleType(main.__name__)
    copy.__dict__.clear()
    own: dict[str, Any] = {"__annotations__": {}} if "__annotations__" in vars(main) else {}  # not since Python 3.14
    copy.__dict__.update(vars(main), **own)
    return copy


def _complete_later(loaders: Any, main: ModuleType, file: str, end: ScriptEnd) -> None:
    """Set an absolute `__file__` for `__main__`, as CPython does, though tracebacks show a relative name.

    CPython sets `__file__` and `__cached__`, then creates a loader, then runs the script, then deletes both again.
    The step that can be replaced is the loader.
    """
    original = loaders.SourceFileLoader

    def create_loader(name: str, _: str) -> Any:
        loaders.SourceFileLoader = original
        main.__dict__.update(__file__=file, __cached__=end)
        return original(name, file)

    loaders.SourceFileLoader = create_loader
