"""The end of a Python job: skip the parts of the interpreter's own end that no code can notice.

CPython ends a process by running finalizers and freeing all objects. After a fork from a preloaded interpreter, that
takes longer than most scripts, because the kernel copies each page that is written to. Two shortcuts apply if the
script has left nothing whose end could run code or write data. In every other case CPython goes on as usual, so each
condition below may err on one side only.

- If the script has ended normally, the process exits right away. `ScriptEnd` notices the end: it is the value of
  `__cached__`, which CPython deletes when the script has ended. No Python frame exists then, which tells this deletion
  from any that the script might do itself. Whether the script has failed is another question. Until some 3.14, its
  exception has been printed by then, and SystemExit has ended the process before. Python 3.14.8 deletes `__cached__`
  first: the exception is yet to be printed, and no code can ask for it, but the garbage collector knows it.
- Otherwise the preloaded modules are taken out of `sys.modules` by the exit function that is called last. CPython then
  does not free them.
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
from types import BuiltinFunctionType, FunctionType, ModuleType, TracebackType

from scheduler_service.sandbox.runtime.library_ends import LibraryEnds

STARVED = 1
"""Value of the first byte of a job's note: its script ended by a MemoryError."""

# A metaclass of the script's own can replace how attributes of its classes are read, with code that must not run here.
_attributes_of, _bases_of, _flags_of = (vars(type)[name].__get__ for name in ("__dict__", "__mro__", "__flags__"))
_LAST_ERROR = ("last_type", "last_value", "last_traceback", "last_exc")
_HAS_GC = 1 << 14
_SHOWN_FILE = "<end of script>"
"""What a trace function sees as the file of the calls that it cannot be spared."""
_NEEDED_AT_THE_END = frozenset({"__main__", "builtins", "sys"})
_kept: list[object] = []
_STANDARD_EXTENSIONS = "lib-dynload"
_EXTENSIONS_THAT_WRITE = frozenset({"_sqlite3", "_dbm", "_gdbm", "_curses", "_tkinter", "readline"})


class Leftovers:
    """What a script that begins now has made and left when it ends."""

    def __init__(self, note: mmap.mmap, libraries: LibraryEnds) -> None:
        self._note = note
        self._libraries = libraries
        self._streams = (sys.stdout, sys.stderr)
        self._modules = frozenset(sys.modules)

    def are_harmless(self) -> bool:
        """Check that neither the end of what is left nor anything else runs code or writes data from now on.

        Exit functions are for the caller to think of.
        """
        current = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        are_original = all(stream is own for stream, own in zip(current, self._streams * 2, strict=True))
        return are_original and _would_run_no_code() and not _finalizers_remain(self._modules)

    def end_process(self) -> None:
        """Flush the streams, and end the process without the interpreter's end."""
        for stream in self._streams:
            stream.flush()
        self._libraries.end_process(0, set(map(type, gc.get_objects())))

    def note_starvation(self) -> None:
        """Write into the note if the script ended by a MemoryError that has been printed."""
        error = getattr(sys, "last_type", None)
        if isinstance(error, type) and issubclass(error, MemoryError):
            self._note[0] = STARVED

    def keep_modules(self) -> None:
        """Keep the modules of before from being freed, if no code could notice. Must be the last exit function."""
        if sys.gettrace() or sys.getprofile():
            return
        with suppress(BaseException):
            self.note_starvation()
            if self.are_harmless():
                for name in self._modules - _NEEDED_AT_THE_END:
                    _kept.append(sys.modules[name])
                    sys.modules[name] = None  # type: ignore[assignment]

    keep_modules.__code__ = keep_modules.__code__.replace(co_filename=_SHOWN_FILE)


class ScriptEnd:
    """Stand in for None as `__cached__` of a script, and notice that the script has ended."""

    __slots__ = ("_leftovers", "_thread")

    def __init__(self, leftovers: Leftovers) -> None:
        self._leftovers = leftovers
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
        if sys.gettrace() or sys.getprofile():  # which sees this call, and should see no more
            return
        with suppress(BaseException):  # CPython would print it, and then end the process as usual
            if _thread.get_ident() == self._thread and _has_no_caller():
                self._end_script()

    __del__.__code__ = __del__.__code__.replace(co_filename=_SHOWN_FILE)

    def _end_script(self) -> None:
        self._leftovers.note_starvation()
        if not _has_failed() and atexit._ncallbacks() <= 1 and self._leftovers.are_harmless():  # noqa: SLF001
            self._leftovers.end_process()


def _has_failed() -> bool:
    """Check whether the script may have ended by an exception: one that was printed, or is yet to be."""
    if any(hasattr(sys, name) for name in _LAST_ERROR) or sys.excepthook is not sys.__excepthook__:
        return True
    kinds = set(map(type, gc.get_objects()))  # one that a script merely keeps looks the same
    return any(issubclass(kind, BaseException) or kind is TracebackType for kind in kinds)


def _has_no_caller() -> bool:
    try:
        sys._getframe(2)  # noqa: SLF001 (1 is `__del__`)
    except ValueError:
        return True
    return False


def _would_run_no_code() -> bool:
    """Check that no thread, trace function or callback is left for the interpreter's end to call."""
    threading = sys.modules.get("threading")
    monitoring = getattr(sys, "monitoring", None)
    return not (
        _thread._count()  # noqa: SLF001
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
    objects = gc.get_objects()
    if _has_new_modules(objects, before) and any(map(_may_write, sys.modules.keys() - before)):
        return True
    kinds = set(map(type, objects)) - {ScriptEnd}  # the one that is being finalized
    return any(map(_has_finalizer, (*kinds, *_untracked(objects)))) or any(
        not _is_harmless(value.__callback__) for value in objects if issubclass(type(value), ReferenceType)
    )


def _has_new_modules(objects: list[object], before: frozenset[str]) -> bool:
    """Check whether any may be new, without their names: to touch each of those copies more memory than all the rest.

    One module is known to be new: `__main__`.
    """
    return len(sys.modules) != len(before) or sum(issubclass(type(value), ModuleType) for value in objects) > 1


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
