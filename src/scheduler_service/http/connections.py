"""Limits what a single client connection can cost: bytes, time, and the number of connections.

uvicorn's protocol has no such limits: a header may have 300 MB, a request may never end, a client may never read. Every
connection goes through these stages, and each stage has a limit of `connection_limits`:

- *head*: from the first byte, or from the connection, to the end of the headers: `head_seconds` and MAX_HEAD_BYTES;
- *body*: until the request is complete: `body_seconds`. Chunk lines and trailers count towards MAX_HEAD_BYTES;
- *answer*: a client that reads less than MIN_READ_BYTES in SLOW_READER_SECONDS is dropped;
- *linger*: if a response is complete before its request body, only the sending side is closed. The rest of the body
  is read and dropped, within limits. Closing a socket with unread bytes would discard the response (RFC 9112, 9.6);
- *idle*: uvicorn's own keep-alive timeout.

The number of open connections is limited too. A further connection replaces the one that has waited longest for a head.
If all are busy, it gets a 503 response.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scheduler_service.config.settings import Settings
from scheduler_service.http import connection_limits as limits
from scheduler_service.http.client_address import PEER
from scheduler_service.http.lingering_transport import LingeringTransport
from scheduler_service.http.raw_responses import problem_bytes
from scheduler_service.http.reader_watch import ReaderWatch


def install(settings: Settings) -> None:
    """Make uvicorn use connections limited by the settings, also if it is started by its own command.

    uvicorn chooses its protocol class before it imports the application, and has no setting for these limits. The
    application can therefore only replace how that class creates its instances.
    """
    limits.set_limits(settings)
    make = object.__new__

    def bounded(cls: type[HttpToolsProtocol], *_: Any, **__: Any) -> HttpToolsProtocol:
        return make(BoundedProtocol if cls is HttpToolsProtocol else cls)

    HttpToolsProtocol.__new__ = bounded  # type: ignore[method-assign, assignment]


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with the limits of this module."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._is_in_head = True
        self._is_refused = False
        self._overhead_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._reader = ReaderWatch(self.loop, self.drop)
        self._unwanted_bytes = 0
        self._linger_bytes: int | None = None

    # Stages

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection. If there are too many, close the one that has waited longest, or refuse."""
        if len(self.connections) >= limits.max_connections():
            if not _waiting:
                transport.write(problem_bytes(503, "too many open connections; try again", "Retry-After: 1\r\n"))
                self._is_refused = True
                transport.close()
                return
            next(iter(_waiting)).drop()
        super().connection_made(LingeringTransport(transport, self))  # type: ignore[arg-type]
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers."""
        self._cancel_deadline()
        self._reader.stop()
        _waiting.pop(self, None)
        if self.transport is not None:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass received data to the parser within the limits of the stage."""
        if self._linger_bytes is not None:
            self._drop(len(data))
            return
        while data and not self._is_refused and not self.transport.is_closing():
            if not self._is_in_head:
                self._overhead_bytes += len(data)
                super().data_received(data)
                self._check_overhead()
                return
            if self._deadline is None:
                self._await_head()
            room = limits.MAX_HEAD_BYTES - self._overhead_bytes
            piece, data = data[:room], data[room:]
            self._overhead_bytes += len(piece)
            super().data_received(piece)
            self._check_overhead()

    def _await_head(self) -> None:
        _waiting[self] = None
        self._set_deadline(limits.LIMITS.head_seconds)

    def _check_overhead(self) -> None:
        if self._overhead_bytes >= limits.MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, f"headers may have {limits.MAX_HEAD_BYTES // 1024} KiB at most, request line included")

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        """Start the scope of a request, and keep the address of the connection, which uvicorn lets headers replace."""
        super().on_message_begin()
        self.scope[PEER] = self.client  # type: ignore[literal-required]

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header. Drop a trailer, because it must not be merged into the headers (RFC 9110, 6.5.1)."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request, or refuse it for too many headers or too many pipelined requests."""
        self._is_in_head, self._overhead_bytes = False, 0
        _waiting.pop(self, None)
        self._set_deadline(limits.LIMITS.body_seconds)
        if len(self.headers) > limits.MAX_HEADERS:
            self._refuse(431, f"a request may have {limits.MAX_HEADERS} headers at most")
        elif len(self.pipeline) >= limits.MAX_PIPELINED:
            self.drop()
        if not self._is_refused:
            super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Count the bytes of chunk lines."""
        self._overhead_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body. It does not count as overhead."""
        self._overhead_bytes -= len(body)
        if self._is_refused:
            return
        super().on_body(body)
        if self.cycle.response_complete:
            self._unwanted_bytes += len(body)
            if self._unwanted_bytes > limits.MAX_UNWANTED_BYTES:
                self.start_lingering()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of the current one."""
        super().on_response_complete()
        self._unwanted_bytes = 0
        if not self._is_in_head:
            _waiting[self] = None

    def on_message_complete(self) -> None:
        """Wait for the next head. The keep-alive timeout applies until its first byte."""
        self._is_in_head, self._overhead_bytes = True, 0
        self._cancel_deadline()
        if not self._is_refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer invalid HTTP with a problem document."""
        if not self._is_refused:
            self._refuse(400, msg)

    # Deadlines

    def drop(self) -> None:
        """Close the connection without a response."""
        self._is_refused = True
        _waiting.pop(self, None)
        self.transport.abort()

    def _set_deadline(self, seconds: float) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(seconds, self._time_out)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_out(self) -> None:
        """Answer 408 if a response is expected, else close the connection."""
        is_answered = not self._is_in_head and (self.cycle.response_started or self.cycle.response_complete)
        if is_answered or (self._is_in_head and not self._overhead_bytes):
            self.drop()
        else:
            self._refuse(408, "the request was not complete in time; send it again")

    def _refuse(self, status: int, detail: str) -> None:
        self._is_refused = True
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(problem_bytes(status, detail))
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.start_lingering()

    # Responses that end before their request

    def is_incomplete(self) -> bool:
        """Return whether bytes of the request are missing."""
        return self._is_refused or not self._is_in_head

    def start_lingering(self) -> None:
        """Close the sending side, then read and drop the rest of the request within limits."""
        if self._linger_bytes is not None:
            return
        self._linger_bytes = 0
        _waiting[self] = None
        self._cancel_deadline()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(limits.LINGER_SECONDS, self.transport.abort)

    def _drop(self, count: int) -> None:
        self._linger_bytes = (self._linger_bytes or 0) + count
        if self._linger_bytes > limits.MAX_LINGER_BYTES:
            self.transport.abort()

    def shutdown(self) -> None:
        """Close lingering connections at once."""
        if self._linger_bytes is not None:
            self.transport.abort()
        else:
            super().shutdown()

    # Slow readers

    def pause_writing(self) -> None:
        """Start to check whether the client reads."""
        super().pause_writing()
        self._reader.start(self.transport)

    def resume_writing(self) -> None:
        """Stop the check: the client reads."""
        super().resume_writing()
        self._reader.stop()


# Connections that may be closed for a new one, the longest waiting first: those that wait for a head, and those that
# linger.
_waiting: dict[BoundedProtocol, None] = {}
