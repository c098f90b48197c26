"""Notice the end of a script, and skip the interpreter's own end if no code could notice that.

CPython ends a process by running finalizers and freeing all objects. After a fork from a warm interpreter that takes
longer than most scripts, because the kernel copies each page that is written to. If a script has ended normally and has
left nothing whose end could run code or write data, the process can exit right away. In every other case CPython goes
on, so each condition below may err on one side only.

The end is noticed by `ScriptEnd`, the value of `__cached__`. CPython deletes that variable of `__main__` when the
script has returned or its exception has been printed, and not if it ended by SystemExit. At that moment no Python frame
exists, which tells this deletion from any that the script might do itself.
"""

from __future__ import annotations

import _thread
import atexit
import gc
import mmap
import sys
from _weakref import ReferenceType
from collections.abc import Iterator
from contextlib import suppress
from types import BuiltinFunctionType, FunctionType

from scheduler_service.sandbox.syscalls import exit_process

STARVED = 1
"""Value of the first byte of a job's note: its script ended by a MemoryError."""

# A metaclass of the script's own can replace how attributes of its classes are read, with code that must not run here.
_attributes_of, _bases_of, _flags_of = (vars(type)[name].__get__ for name in ("__dict__", "__mro__", "__flags__"))
_LAST_ERROR = ("last_type", "last_value", "last_traceback", "last_exc")
_HAS_GC = 1 << 14
_STANDARD_EXTENSIONS = "lib-dynload"
_EXTENSIONS_THAT_WRITE = frozenset({"_sqlite3", "_dbm", "_gdbm", "_curses", "_tkinter", "readline"})


class ScriptEnd:
    """Stand in for None as `__cached__` of a script, and notice that the script has ended."""

    __slots__ = ("_modules", "_note", "_streams", "_thread")

    def __init__(self, note: mmap.mmap) -> None:
        self._note = note
        self._streams = (sys.stdout, sys.stderr)
        self._modules = frozenset(sys.modules)
        self._thread = _thread.get_ident()

    def __repr__(self) -> str:
        return repr(None)

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or other is self

    def __hash__(self) -> int:
        return hash(None)

    def __del__(self) -> None:
        with suppress(BaseException):  # CPython would print it, and then end the process as usual
            if _thread.get_ident() == self._thread and _has_no_caller():
                self._end_script()

    def _end_script(self) -> None:
        error = getattr(sys, "last_type", None)
        if isinstance(error, type) and issubclass(error, MemoryError):
            self._note[0] = STARVED
        if self._has_ended_normally() and _would_run_no_code() and not _finalizers_remain(self._modules):
            for stream in self._streams:
                stream.flush()
            exit_process(0)

    def _has_ended_normally(self) -> bool:
        current = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        return (
            not any(hasattr(sys, name) for name in _LAST_ERROR)
            and sys.excepthook is sys.__excepthook__
            and all(stream is own for stream, own in zip(current, self._streams * 2, strict=True))
        )


def _has_no_caller() -> bool:
    try:
        sys._getframe(2)  # noqa: SLF001 (1 is `__del__`)
    except ValueError:
        return True
    return False


def _would_run_no_code() -> bool:
    """Check that no exit function, thread, trace function or callback is left for the interpreter's end to call."""
    threading = sys.modules.get("threading")
    monitoring = getattr(sys, "monitoring", None)
    return not (
        atexit._ncallbacks()  # noqa: SLF001
        or _thread._count()  # noqa: SLF001
        or getattr(threading, "_threading_atexits", None)
        or gc.callbacks
        or gc.garbage
        or gc.get_debug()
        or sys.gettrace()
        or sys.getprofile()
        or (monitoring and any(map(monitoring.get_tool, range(6))))
    )


def _finalizers_remain(before: frozenset[str]) -> bool:
    """Check whether anything made since the fork has a finalizer, or is of a C type that may write when it ends.

    The garbage collector knows all objects that can have a finalizer, except for those without any attributes.
    """
    if any(map(_may_write, sys.modules.keys() - before)):
        return True
    objects = gc.get_objects()
    kinds = set(map(type, objects)) - {ScriptEnd}  # the one that is being finalized
    return any(map(_has_finalizer, (*kinds, *_untracked(objects)))) or any(
        not _is_harmless(value.__callback__) for value in objects if issubclass(type(value), ReferenceType)
    )


def _untracked(objects: list[object]) -> Iterator[type]:
    """Yield the classes whose instances the garbage collector does not know."""
    for value in objects:
        if issubclass(type(value), type) and not _flags_of(value) & _HAS_GC:
            yield value  # type: ignore[misc]


def _has_finalizer(kind: type) -> bool:
    return any("__del__" in _attributes_of(base) for base in _bases_of(kind))


def _may_write(name: str) -> bool:
    spec = getattr(sys.modules[name], "__spec__", None)
    origin = getattr(spec, "origin", None)
    if not isinstance(origin, str) or not origin.endswith(".so"):
        return False
    return name in _EXTENSIONS_THAT_WRITE or f"/{_STANDARD_EXTENSIONS}/" not in origin


def _is_harmless(callback: object) -> bool:
    """Check whether the callback of a weak reference only removes an entry of the standard library's collections."""
    if isinstance(callback, BuiltinFunctionType):
        return callback.__name__ == "_destroy"  # of an abstract base class
    if isinstance(callback, FunctionType):
        return callback.__globals__.get("__name__") in {"weakref", "_weakrefset"}
    return callback is None
