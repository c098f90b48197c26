"""Helpers for the start of a process."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from importlib import import_module
from typing import TypeVar

from scheduler_service.errors import ConfigurationError

T = TypeVar("T")
Argument = TypeVar("Argument")
WRONG_SETTING = 2


@contextmanager
def without_gc() -> Iterator[None]:
    """Disable garbage collection within the block and exclude the objects that exist at its end from later collections.

    Imported modules are never freed. Scanning them repeatedly during imports takes a sixth of the start time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _import_structlog() -> None:
    """Import structlog without rich, which it would use for nothing here: 7 MB, most of them for colours of code."""
    if "structlog" not in sys.modules and "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment]  # an import of it fails
        import_module("structlog")
        del sys.modules["rich"]


_import_structlog()


def or_exit(load: Callable[[], T]) -> T:
    """Return the loaded settings. If they are wrong, print one line to standard error and exit with code 2."""
    try:
        return load()
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")  # logging needs settings
        raise SystemExit(WRONG_SETTING) from None


def opened_or_exit(
    factory: Callable[[Argument], AbstractAsyncContextManager[T]],
) -> Callable[[Argument], AbstractAsyncContextManager[T]]:
    """Wrap a context manager factory: a `ConfigurationError` on entry ends the process with one line and code 2.

    uvicorn would print two more lines and exit with code 3. Everything opened before the error is already closed.
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
