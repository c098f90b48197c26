"""Running Python source as a program would run: same modules, arguments, tracebacks and exit codes."""

from __future__ import annotations

import atexit
import gc
import linecache
import os
import signal
import sys
import threading
import time
import traceback
from types import ModuleType, TracebackType
from typing import Any

FILE = "job.py"
"""The name of the source in tracebacks; the file is really there, in the working directory, for who reads it."""

_MERSENNE_TWISTER_WORDS = 624


def prepare_interpreter() -> None:
    """Make the forked interpreter this run's own, as far as that can be done before its code is known."""
    _reseed()
    sys.argv = [FILE]
    sys.excepthook = _print_exception
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # whoever follows the log sees each line
    _rehearse()


def run_python(source: str, environment: dict[str, str]) -> tuple[int, bool]:
    """Run `source` as `__main__`; gives the exit code, and whether a MemoryError that nobody caught ended it."""
    main = _make_main(source, environment)
    code, starved = _execute(source, main)
    return (_finish(main) or code), starved


def _rehearse() -> None:
    """Compile and run a little: the memory that this writes to is copied now, and not while somebody waits."""
    exec(compile("import sys\nfor _ in range(3): print(str(_), file=sys.stdout)\n", FILE, "exec"), {})  # noqa: S102
    linecache.cache[FILE] = (0, None, [], FILE)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        nowhere.write("")


def _make_main(source: str, environment: dict[str, str]) -> ModuleType:
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.path.insert(0, os.getcwd())
    lines = source.splitlines(keepends=True)
    linecache.cache[FILE] = (len(source), None, lines, FILE)  # without a time it is never compared with a file
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__dict__.update(__file__=os.path.abspath(FILE), __builtins__=__builtins__)
    gc.enable()
    return main


def _reseed() -> None:
    """Give this run random numbers of its own; the standard library's `random` has seen to it after the fork."""
    if numpy_random := sys.modules.get("numpy.random"):
        # What `seed()` comes to in the end, but without computing it from less than all the kernel would give.
        key = sys.modules["numpy"].frombuffer(os.urandom(_MERSENNE_TWISTER_WORDS * 4), "uint32")
        numpy_random.set_state(("MT19937", key, _MERSENNE_TWISTER_WORDS))


def _execute(source: str, main: ModuleType) -> tuple[int, bool]:
    try:
        exec(compile(source, FILE, "exec", dont_inherit=True), main.__dict__)  # noqa: S102 (what this is for)
    except SystemExit as request:
        return _exit_code(request.code), False
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
        return 130, False
    except BaseException as error:  # noqa: BLE001 (the user's code may raise anything; it is shown, as Python does)
        sys.excepthook(type(error), error, _users_part(error.__traceback__))
        return 1, isinstance(error, MemoryError)
    return 0, False


def _finish(main: ModuleType) -> int:
    """Do what the interpreter does at its end: wait for threads, call exit functions, drop the program's objects."""
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 (all that the interpreter's end calls)
    atexit._run_exitfuncs()  # noqa: SLF001
    main.__dict__.clear()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return 120  # as Python exits when its output cannot be written
    return 0


def _exit_code(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, int):
        return value & 0xFF
    sys.stderr.write(f"{value}\n")
    return 1


def _users_part(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename != FILE:
        trace = trace.tb_next
    return trace


def _print_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    shown = traceback.TracebackException(kind, error, trace, compact=True)
    _shorten_names(shown)
    sys.stderr.write("".join(shown.format()))


def _shorten_names(shown: Any) -> None:
    """Name the files of libraries as they are imported, not where this host keeps them; of causes and groups too."""
    if shown is None:
        return
    for frame in shown.stack:
        frame.filename = _shorten(frame.filename)
    for other in (shown.__cause__, shown.__context__, *(getattr(shown, "exceptions", None) or ())):
        _shorten_names(other)


def _shorten(filename: str) -> str:
    for directory in sorted(sys.path, key=len, reverse=True):
        if directory and filename.startswith(directory + os.sep):
            return filename[len(directory) + 1 :]
    return filename
