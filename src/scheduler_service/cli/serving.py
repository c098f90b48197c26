"""Runs the server in one process: it listens, prints the banner, and shuts down on signals.

Theory of operation. The first signal drains: no new connections, streams end, and runs may finish within the drain
time. The second signal cancels the main task until the process has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import Sequence
from typing import cast

import uvicorn
from fastapi import FastAPI

from scheduler_service.cli.banner import banner_text, print_now
from scheduler_service.config.open_files import raise_open_files
from scheduler_service.config.settings import Settings
from scheduler_service.console.exit_codes import ExitCode
from scheduler_service.entrypoints.application import create_application
from scheduler_service.errors import ConfigurationError
from scheduler_service.http.connection_limits import set_limits
from scheduler_service.http.connections import BoundedProtocol
from scheduler_service.telemetry import logging_config

# Time for responses in progress after the first signal. Streams end at once.
CLOSE_SECONDS = 5
# Time for cleanup after the second signal.
CLEANUP_SECONDS = 5.0
CANCEL_SECONDS = 0.5
BACKLOG = 2048


def serve(settings: Settings, also: Sequence[str] = ()) -> ExitCode:
    """Serve until a signal, drain, and return the exit code. Raise `ConfigurationError` if the start fails.

    `also` are lines about other processes for the banner.
    """
    logging_config.configure_logging(settings.log_level, settings.log_format)
    if settings.log_format == "console":  # for people, whom the banner tells the rest
        logging_config.hold_back_information(settings.log_level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # the banner replaces uvicorn's start messages
    raise_open_files()
    set_limits(settings)
    app = create_application(settings)
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",  # WebSocket is not used
        lifespan="off",  # entered below, where an error at the start keeps its type
        log_config=None,
        access_log=False,
        proxy_headers=False,  # read by the service, from SCHEDULER_TRUSTED_PROXIES only
        workers=1,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )
    with (
        listen(settings.host, settings.port) as listener,
        asyncio.Runner(loop_factory=config.get_loop_factory()) as loop,
    ):
        try:
            loop.run(_serve(app, _Server(app, config, settings, also), listener))
        except asyncio.CancelledError:
            print_now("Stopped without waiting. Interrupted runs are executed again after the next start.")
            return ExitCode.INTERRUPTED
    print_now("Stopped.")
    return ExitCode.SUCCESS


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on one address. Raise `ConfigurationError` on failure."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # Prefer IPv4 for `localhost`: clients that try IPv6 first fall back to it.
        family, *_, address = min(addresses, key=lambda found: found[0] != socket.AF_INET)
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:  # a name with invalid characters raises UnicodeError
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise ConfigurationError(
                f"SCHEDULER_PORT: {port} is in use on {host}; stop the other program or choose another port"
            ) from None
        raise ConfigurationError(
            f"SCHEDULER_HOST: cannot listen on {host!r}, port {port}: {error}; choose another address"
        ) from None


async def _serve(app: FastAPI, server: _Server, listener: socket.socket) -> None:
    _handle_signals(server)
    async with app.router.lifespan_context(app):
        await server.serve([listener])


def _handle_signals(server: _Server) -> None:
    """Install handlers: the first signal drains, the second ends the process."""
    loop, task = asyncio.get_running_loop(), cast("asyncio.Task[None]", asyncio.current_task())

    def end() -> None:
        # Repeatedly: one cancellation ends only the current await, which may not be the drain.
        task.cancel()
        loop.call_later(CANCEL_SECONDS, end)

    def stop() -> None:
        if server.should_exit:
            end()
            loop.call_later(CLEANUP_SECONDS, os._exit, ExitCode.INTERRUPTED)
        else:
            print_now(
                "Draining: waiting for running jobs to end; no new run starts. Press Ctrl-C again to stop at once."
            )
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)


class _Server(uvicorn.Server):
    """A uvicorn server that prints the banner when it is ready."""

    def __init__(self, app: FastAPI, config: uvicorn.Config, settings: Settings, also: Sequence[str]) -> None:
        super().__init__(config)
        self._also = also
        self._app = app
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            print_now(banner_text(self._settings, listener.getsockname()[1], self._also))
        if (refusal := self._app.state.service.refusal()) is not None:
            print_now(f"WARNING: {refusal}\n")
        logging_config.set_level(self._settings.log_level)

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        """Do nothing: signals are handled outside, for longer than the server runs."""
        return contextlib.nullcontext()
