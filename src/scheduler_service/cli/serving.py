"""One process that serves: it listens, tells how to reach it, and goes down in good order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from typing import cast

import uvicorn
from fastapi import FastAPI

from scheduler_service.api.app import create_app
from scheduler_service.cli.banner import say, welcome
from scheduler_service.config.open_files import raise_open_files
from scheduler_service.config.settings import Settings
from scheduler_service.console.exit_codes import ExitCode
from scheduler_service.errors import ConfigurationError
from scheduler_service.http.connections import BoundedProtocol
from scheduler_service.telemetry import logging_config

# How long answers that are on their way may take once the process goes down; streams end at once by themselves.
CLOSE_SECONDS = 5
# How long the unwinding may take after the second signal.
LAST_SECONDS = 5.0
CANCEL_SECONDS = 0.5
BACKLOG = 2048


def serve(settings: Settings) -> ExitCode:
    """Serve until a signal, drain, and return the exit code; raises `ConfigurationError` where the start fails."""
    logging_config.configure_logging(settings.log_level, settings.log_format)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # the banner says that the server is up, and where
    raise_open_files()
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",  # nothing here speaks WebSocket
        lifespan="off",  # it is entered here, where an error at the start is still an exception of its own kind
        log_config=None,
        access_log=False,
        workers=1,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )
    with (
        listen(settings.host, settings.port) as listener,
        asyncio.Runner(loop_factory=config.get_loop_factory()) as loop,
    ):
        try:
            loop.run(_serve(app, _Server(app, config, settings), listener))
        except asyncio.CancelledError:
            say("Stopped without waiting: what was running is tried again at the next start.")
            return ExitCode.INTERRUPTED
    say("Stopped.")
    return ExitCode.SUCCESS


def listen(host: str, port: int) -> socket.socket:
    """Listen on one address; raises `ConfigurationError` where that cannot be."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # Of `localhost` the IPv4 address: whoever tries the other one first comes round to it.
        family, *_, address = min(addresses, key=lambda found: found[0] != socket.AF_INET)
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:  # a name that is no host name fails as text
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise ConfigurationError(
                f"SCHEDULER_PORT: {port} is in use on {host}; stop what listens there or name another port"
            ) from None
        raise ConfigurationError(f"SCHEDULER_HOST: cannot listen on {host!r}, port {port}: {error}") from None


async def _serve(app: FastAPI, server: _Server, listener: socket.socket) -> None:
    _handle_signals(server)
    async with app.router.lifespan_context(app):
        await server.serve([listener])


def _handle_signals(server: _Server) -> None:
    """Install handlers: the first signal drains, the second ends the process at once."""
    loop, task = asyncio.get_running_loop(), cast("asyncio.Task[None]", asyncio.current_task())

    def end() -> None:
        # Again and again: one cancellation ends only what is waited for at that moment, which need not be the drain.
        task.cancel()
        loop.call_later(CANCEL_SECONDS, end)

    def stop() -> None:
        if server.should_exit:
            end()
            loop.call_later(LAST_SECONDS, os._exit, ExitCode.INTERRUPTED)
        else:
            say("Draining: nothing new is started, what runs may end. Ctrl-C again stops at once.")
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)


class _Server(uvicorn.Server):
    """A server that prints the banner when it is ready."""

    def __init__(self, app: FastAPI, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._app = app
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            say(welcome(self._settings, listener.getsockname()[1]))
        if (refusal := self._app.state.service.refusal()) is not None:
            say(f"WARNING: {refusal}\n")

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        """Leave the signals alone: they have to be handled for longer than the server runs."""
        return contextlib.nullcontext()
