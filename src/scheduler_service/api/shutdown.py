"""Learning in time that the process is to end."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def announced(stopping: asyncio.Event) -> Iterator[None]:
    """Set `stopping` as soon as a signal asks the process to end; then the signal goes on to whom it was meant for.

    A server waits for its open connections before it ends the lifespan, so anybody who follows a log would keep the
    process alive for ever if he were not told before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
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
