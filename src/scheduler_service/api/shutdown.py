"""Detects the shutdown of the process early enough to end streams."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def announced(stopping: asyncio.Event) -> Iterator[None]:
    """Set `stopping` as soon as a signal asks the process to end, and pass the signal on to its handler.

    A server waits for open connections before it ends the lifespan. Without this, a client that follows a log would
    keep the process alive for ever.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signal handlers
        return
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}

    def announce(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stopping.set)
        handlers[signal.Signals(number)](number, frame)

    for number in handlers:
        signal.signal(number, announce)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
