"""Whether the C libraries of a job's process have anything to do at its end.

exit(3) calls the exit functions and the destructors of every loaded library. Those of CPython, its modules and numpy
only free memory, of which the kernel copies a seventh of all pages of a run first. They are left out if no library can
have anything else to do:

- The preloaded modules were all compiled by CPython or numpy.
- No library was loaded since. The dynamic linker appends each to a list (`struct link_map` in link.h), whose last entry
  was noted before. One that was unloaded again has had its destructors called.
- Nothing of ctypes is left with which code could have called a function such as atexit(3) in a preloaded library.

Streams of C (stdio) are flushed in any case.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress

_TRUSTED = frozenset({"numpy"})
_STANDARD_EXTENSIONS = "/lib-dynload/"
_libc = ctypes.CDLL(None)
_libc.fflush.argtypes = [ctypes.c_void_p]
_flush = _libc.fflush
_foreign = (ctypes.CDLL, ctypes._CFuncPtr)  # type: ignore[attr-defined]  # noqa: SLF001 (the base of all functions)


class _Library(ctypes.Structure):  # the begin of struct link_map
    _fields_ = tuple((name, ctypes.c_void_p) for name in ("address", "name", "section", "next", "previous"))


class _Libraries(ctypes.Structure):  # the begin of struct r_debug
    _fields_ = (("version", ctypes.c_int), ("first", ctypes.POINTER(_Library)))


class LibraryEnds:
    """What was loaded when this was made: in a zygote, after its modules were imported."""

    def __init__(self) -> None:
        self._last: _Library | None = None
        with suppress(Exception):  # another C library than glibc
            if all(map(_is_trusted, list(sys.modules))):
                self._last = _find_last()

    def end_process(self, code: int, kinds: Iterable[type]) -> None:
        """End the process, with as much of exit(3) as can be noticed.

        `kinds` are the classes of all objects that the script has left.
        """
        if self._last is not None and self._last.next is None and not any(issubclass(kind, _foreign) for kind in kinds):
            _flush(None)
            os._exit(code)
        _libc.exit(code)


def _find_last() -> _Library:
    library: _Library = _Libraries.in_dll(_libc, "_r_debug").first.contents
    while library.next is not None:
        library = _Library.from_address(library.next)
    return library


def _is_trusted(name: str) -> bool:
    origin = getattr(getattr(sys.modules[name], "__spec__", None), "origin", None)
    if not isinstance(origin, str) or not origin.endswith(".so"):
        return True
    return _STANDARD_EXTENSIONS in origin or name.partition(".")[0] in _TRUSTED
