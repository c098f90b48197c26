"""The first steps of a process."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from scheduler_service.errors import ConfigurationError

T = TypeVar("T")


@contextmanager
def uncollected() -> Iterator[None]:
    """Import in this block without garbage collection, and leave all that is there at its end out of later ones.

    What imports make stays for good: looking through it again and again while it grows takes a sixth of a start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def or_exit(load: Callable[[], T]) -> T:
    """Load the settings of this process; where they are wrong, end it with one line on standard error and code 2."""
    try:
        return load()
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")  # there is no log without settings
        raise SystemExit(2) from None
