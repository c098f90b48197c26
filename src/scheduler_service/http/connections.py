"""Connections that cost little, whatever their clients do: bounds on bytes, on time and on their number.

uvicorn's protocol bounds nothing of this: a header may have 300 MB, a request may begin and never end, a reader may
never read. Each connection goes through these stages, and each stage has a bound:

- *head*: from the first byte, or from the connection, to the end of the headers: HEAD_SECONDS and MOST_HEAD_BYTES;
- *body*: until the request is complete: BODY_SECONDS. Chunk lines and trailers count like a head;
- *answer*: a client that reads less than LEAST_READ_BYTES in SLOW_READER_SECONDS is dropped;
- *linger*: an answer that comes before the body is complete is followed by the end of our side alone. What still comes
  is read and dropped, within bounds, since a connection that is closed over unread bytes takes the answer with it
  (RFC 9112, 9.6);
- *idle*: uvicorn's own keep-alive timeout.

Only so many connections are open at once. One more takes the place of the one that has waited longest for a head; if
all are busy, it is answered with 503.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scheduler_service.config.open_files import open_files

MOST_HEAD_BYTES = 64 * 1024
MOST_HEADERS = 200
MOST_PIPELINED = 16
HEAD_SECONDS = 15.0
BODY_SECONDS = 60.0
SLOW_READER_SECONDS = 30.0
LINGER_SECONDS = 10.0
# Of a body whose request is answered; a longer one costs the connection.
MOST_UNWANTED_BYTES = 1024 * 1024
MOST_LINGER_BYTES = 64 * 1024 * 1024
LEAST_READ_BYTES = 4096
MOST_CONNECTIONS = 2000
# For the database, runs, logs and files.
RESERVED_FILES = 400
FEWEST_CONNECTIONS = 32

_TITLES = {431: "Request Header Fields Too Large", 408: "Request Timeout", 503: "Service Unavailable"}


def most_connections() -> int:
    """Return how many connections may be open at once, by the limit of open files."""
    return max(FEWEST_CONNECTIONS, min(MOST_CONNECTIONS, open_files() - RESERVED_FILES))


def install() -> None:
    """Make uvicorn use bounded connections, also if its own command starts it.

    It chooses its protocol before it imports the application, and reads no setting for these bounds: what is left to
    the application is the class itself.
    """
    make = object.__new__

    def bounded(cls: type[HttpToolsProtocol], *_: Any, **__: Any) -> HttpToolsProtocol:
        return make(BoundedProtocol if cls is HttpToolsProtocol else cls)

    HttpToolsProtocol.__new__ = bounded  # type: ignore[method-assign, assignment]


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the bounds of this module."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Begin with nothing received."""
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
        """Take the connection, in place of another one if there are too many."""
        if len(self.connections) >= most_connections():
            if not _waiting:
                transport.write(_answer(503, "too many connections are open; try again", "Retry-After: 1\r\n"))
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
        """Pass on what came, as far as the bounds of its stage let it pass."""
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
            piece, data = data[: MOST_HEAD_BYTES - self._overhead_bytes], data[MOST_HEAD_BYTES - self._overhead_bytes :]
            self._overhead_bytes += len(piece)
            super().data_received(piece)
            self._check_overhead()

    def _await_head(self) -> None:
        _waiting[self] = None
        self._set_deadline(HEAD_SECONDS)

    def _check_overhead(self) -> None:
        if self._overhead_bytes >= MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, f"headers may have {MOST_HEAD_BYTES // 1024} KiB at the most, request line included")

    # What the parser finds

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is dropped, since it cannot stand for a header (RFC 9110, 6.5.1)."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request, unless it has too many headers or too many wait behind each other."""
        self._is_in_head, self._overhead_bytes = False, 0
        _waiting.pop(self, None)
        self._set_deadline(BODY_SECONDS)
        if len(self.headers) > MOST_HEADERS:
            self._refuse(431, f"a request may have {MOST_HEADERS} headers at the most")
        elif len(self.pipeline) >= MOST_PIPELINED:
            self.drop()
        if not self._is_refused:
            super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Count the lines around each chunk by themselves."""
        self._overhead_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which is no overhead."""
        self._overhead_bytes -= len(body)
        if self._is_refused:
            return
        super().on_body(body)
        if self.cycle.response_complete:
            self._unwanted_bytes += len(body)
            if self._unwanted_bytes > MOST_UNWANTED_BYTES:
                self.begin_to_linger()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of one that is answered already."""
        super().on_response_complete()
        self._unwanted_bytes = 0
        if not self._is_in_head:
            _waiting[self] = None

    def on_message_complete(self) -> None:
        """Wait for the next head, without a deadline until it begins: idle connections have one of their own."""
        self._is_in_head, self._overhead_bytes = True, 0
        self._cancel_deadline()
        if not self._is_refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP with a problem document, too."""
        if not self._is_refused:
            self._refuse(400, msg)

    # Deadlines

    def drop(self) -> None:
        """Close the connection without an answer."""
        self._is_refused = True
        _waiting.pop(self, None)
        self.transport.abort()

    def _set_deadline(self, seconds: float) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(seconds, self._be_late)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _be_late(self) -> None:
        """Answer 408 if the client waits for an answer that nobody can give, else close."""
        is_answered = not self._is_in_head and (self.cycle.response_started or self.cycle.response_complete)
        if is_answered or (self._is_in_head and not self._overhead_bytes):
            self.drop()
        else:
            self._refuse(408, "the request did not come to its end in time")

    def _refuse(self, status: int, detail: str) -> None:
        self._is_refused = True
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_answer(status, detail))
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.begin_to_linger()

    # The end of an answer before that of its request

    def is_incomplete(self) -> bool:
        """Whether bytes of the request are still to come."""
        return self._is_refused or not self._is_in_head

    def begin_to_linger(self) -> None:
        """End our side, and read and drop what still comes, within bounds."""
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
        if self._linger_bytes > MOST_LINGER_BYTES:
            self.transport.abort()

    def shutdown(self) -> None:
        """Close at once what only lingers."""
        if self._linger_bytes is not None:
            self.transport.abort()
        else:
            super().shutdown()

    # Slow readers

    def pause_writing(self) -> None:
        """Watch whether the client reads at all."""
        super().pause_writing()
        self._unread_bytes = self.transport.get_write_buffer_size()
        self._reader_check = self._reader_check or self.loop.call_later(SLOW_READER_SECONDS, self._check_reader)

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        super().resume_writing()
        self._stop_checking()

    def _check_reader(self) -> None:
        """Drop a client that has read nothing since the last look."""
        unread_bytes, self._reader_check = self.transport.get_write_buffer_size(), None
        if unread_bytes > self._unread_bytes - LEAST_READ_BYTES:
            self.drop()
            return
        self._unread_bytes = unread_bytes
        self._reader_check = self.loop.call_later(SLOW_READER_SECONDS, self._check_reader)

    def _stop_checking(self) -> None:
        if self._reader_check is not None:
            self._reader_check.cancel()
            self._reader_check = None


class _Lingering:
    """A transport whose owner's `close` waits for the end of the request."""

    def __init__(self, transport: asyncio.Transport, protocol: BoundedProtocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self.write = transport.write
        self.is_closing = transport.is_closing

    def close(self) -> None:
        if self._protocol.is_incomplete() and not self._transport.is_closing():
            self._protocol.begin_to_linger()
        else:
            self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


# The connections of this process that nobody needs, the one that has waited longest first: those that wait for a head,
# and those whose request was answered before it was complete.
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
