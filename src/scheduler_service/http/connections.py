"""Limits what a single client connection can cost: bytes, time, and the number of connections.

uvicorn's protocol has no such limits: a header may have 300 MB, a request may never end, a client may never read. Every
connection goes through these stages, and each stage has a limit:

- *head*: from the first byte, or from the connection, to the end of the headers: HEAD_SECONDS and MAX_HEAD_BYTES;
- *body*: until the request is complete: BODY_SECONDS. Chunk lines and trailers count towards MAX_HEAD_BYTES;
- *answer*: a client that reads less than MIN_READ_BYTES in SLOW_READER_SECONDS is dropped;
- *linger*: if a response is complete before its request body, only the sending side is closed. The rest of the body
  is read and dropped, within limits. Closing a socket with unread bytes would discard the response (RFC 9112, 9.6);
- *idle*: uvicorn's own keep-alive timeout.

The number of open connections is limited too. A further connection replaces the one that has waited longest for a head.
If all are busy, it gets a 503 response.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scheduler_service.config.open_files import open_files

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 200
MAX_PIPELINED = 16
HEAD_SECONDS = 15.0
BODY_SECONDS = 60.0
SLOW_READER_SECONDS = 30.0
LINGER_SECONDS = 10.0
# Of a body after its response; a longer one closes the connection.
MAX_UNWANTED_BYTES = 1024 * 1024
MAX_LINGER_BYTES = 64 * 1024 * 1024
MIN_READ_BYTES = 4096
MAX_CONNECTIONS = 2000
# Reserved for the database, runs, logs and files.
RESERVED_FILES = 400
MIN_CONNECTIONS = 32

_TITLES = {431: "Request Header Fields Too Large", 408: "Request Timeout", 503: "Service Unavailable"}


def max_connections() -> int:
    """Return how many connections may be open, derived from the limit of open files."""
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, open_files() - RESERVED_FILES))


def install() -> None:
    """Make uvicorn use limited connections, also if it is started by its own command.

    uvicorn chooses its protocol class before it imports the application, and has no setting for these limits. The
    application can therefore only replace how that class creates its instances.
    """
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
        self._reader_check: asyncio.TimerHandle | None = None
        self._unread_bytes = 0
        self._unwanted_bytes = 0
        self._linger_bytes: int | None = None

    # Stages

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection. If there are too many, close the one that has waited longest, or refuse."""
        if len(self.connections) >= max_connections():
            if not _waiting:
                transport.write(_answer(503, "too many open connections; try again", "Retry-After: 1\r\n"))
                self._is_refused = True
                transport.close()
                return
            next(iter(_waiting)).drop()
        super().connection_made(_Lingering(transport, self))  # type: ignore[arg-type]
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers."""
        self._cancel_deadline()
        self._stop_checking()
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
            piece, data = data[: MAX_HEAD_BYTES - self._overhead_bytes], data[MAX_HEAD_BYTES - self._overhead_bytes :]
            self._overhead_bytes += len(piece)
            super().data_received(piece)
            self._check_overhead()

    def _await_head(self) -> None:
        _waiting[self] = None
        self._set_deadline(HEAD_SECONDS)

    def _check_overhead(self) -> None:
        if self._overhead_bytes >= MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, f"headers may have {MAX_HEAD_BYTES // 1024} KiB at most, request line included")

    # Callbacks of the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header. Drop a trailer, because it must not be merged into the headers (RFC 9110, 6.5.1)."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request, or refuse it for too many headers or too many pipelined requests."""
        self._is_in_head, self._overhead_bytes = False, 0
        _waiting.pop(self, None)
        self._set_deadline(BODY_SECONDS)
        if len(self.headers) > MAX_HEADERS:
            self._refuse(431, f"a request may have {MAX_HEADERS} headers at most")
        elif len(self.pipeline) >= MAX_PIPELINED:
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
            if self._unwanted_bytes > MAX_UNWANTED_BYTES:
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
            self.transport.write(_answer(status, detail))
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
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _drop(self, count: int) -> None:
        self._linger_bytes = (self._linger_bytes or 0) + count
        if self._linger_bytes > MAX_LINGER_BYTES:
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
        self._unread_bytes = self.transport.get_write_buffer_size()
        self._reader_check = self._reader_check or self.loop.call_later(SLOW_READER_SECONDS, self._check_reader)

    def resume_writing(self) -> None:
        """Stop the check: the client reads."""
        super().resume_writing()
        self._stop_checking()

    def _check_reader(self) -> None:
        """Drop the client if it has read nothing since the last check."""
        unread_bytes, self._reader_check = self.transport.get_write_buffer_size(), None
        if unread_bytes > self._unread_bytes - MIN_READ_BYTES:
            self.drop()
            return
        self._unread_bytes = unread_bytes
        self._reader_check = self.loop.call_later(SLOW_READER_SECONDS, self._check_reader)

    def _stop_checking(self) -> None:
        if self._reader_check is not None:
            self._reader_check.cancel()
            self._reader_check = None


class _Lingering:
    """A transport whose `close` waits for the end of the request."""

    def __init__(self, transport: asyncio.Transport, protocol: BoundedProtocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self.write = transport.write
        self.is_closing = transport.is_closing

    def close(self) -> None:
        if self._protocol.is_incomplete() and not self._transport.is_closing():
            self._protocol.start_lingering()
        else:
            self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


# Connections that may be closed for a new one, the longest waiting first: those that wait for a head, and those that
# linger.
_waiting: dict[BoundedProtocol, None] = {}


def _answer(status: int, detail: str, header: str = "") -> bytes:
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    body = json.dumps(document).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
        f"{header}Connection: close\r\n\r\n"
    )
    return head.encode() + body
