"""The first steps of a process."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from typing import TypeVar

from scheduler_service.errors import ConfigurationError

T = TypeVar("T")
Argument = TypeVar("Argument")
WRONG_SETTING = 2


@contextmanager
def without_gc() -> Iterator[None]:
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
        raise SystemExit(WRONG_SETTING) from None


def opened_or_exit(
    factory: Callable[[Argument], AbstractAsyncContextManager[T]],
) -> Callable[[Argument], AbstractAsyncContextManager[T]]:
    """Wrap what opens the service: a setting that proves wrong then ends the process with one line and code 2.

    uvicorn would end with code 3, after two more lines. When the error arrives here, all that was opened is closed.
    """

    @asynccontextmanager
    async def opened(argument: Argument) -> AsyncIterator[T]:
        async with AsyncExitStack() as stack:
            try:
                service = await stack.enter_async_context(factory(argument))
            except ConfigurationError as error:
                sys.stderr.write(f"{error}\n")
                sys.stderr.flush()
                os._exit(WRONG_SETTING)
            yield service

    return opened
