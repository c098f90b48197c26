"""Streams a run's log as server-sent events (HTML Standard, section 9.2)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import structlog
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from scheduler_service.domain.run_state import RunStatus
from scheduler_service.errors import UnavailableError
from scheduler_service.http.held_stream import EVENT_STREAM, HEARTBEAT_SECONDS
from scheduler_service.services.runs import LogSlice

# In characters, each at most twelve bytes of JSON. Clients refuse events of a megabyte.
MAX_EVENT_CHARACTERS = 64 * 1024
_WAITING = frozenset({RunStatus.QUEUED, RunStatus.RETRYING})
_NO_WEIGHT = re.compile(r"0(\.0*)?")

log = structlog.get_logger(__name__)


def accepts_events(accept: str) -> bool:
    """Return whether a client accepts server-sent events."""
    return any(_is_wanted(*part.lower().split(";")) for part in accept.split(","))


async def log_events(parts: AsyncIterator[LogSlice]) -> AsyncIterator[bytes]:
    """Yield the slices of a log as events.

    A waiting run (`queued`, `retrying`) produces an event `status` each time that it starts to wait. A stream that is
    cut off by the end of the process or of its database has no event `end`; clients reconnect in that case.
    """
    sent_at, status = time.monotonic(), None
    try:
        async for part in parts:
            now = time.monotonic()
            waits = part.status in _WAITING and part.status != status
            status = part.status
            if events := _events(part) + (_event("status", part.next_offset, status=status) if waits else b""):
                yield events
            elif now - sent_at >= HEARTBEAT_SECONDS:
                yield KEEPALIVE_COMMENT
            else:
                continue
            sent_at = now
    except UnavailableError as error:
        log.warning("log_stream_interrupted", error=str(error))


def _is_wanted(media_type: str, *parameters: str) -> bool:
    """Return whether a media range of `Accept` matches events with a weight above 0 (RFC 9110, 12.4.2)."""
    weights = [value.strip() for name, _, value in (each.partition("=") for each in parameters) if name.strip() == "q"]
    return media_type.strip() == EVENT_STREAM and not any(_NO_WEIGHT.fullmatch(weight) for weight in weights)


def _events(part: LogSlice) -> bytes:
    text, offset = part.data.decode("utf-8", "replace"), part.next_offset - len(part.data)
    events = b""
    for start in range(0, len(text), MAX_EVENT_CHARACTERS):
        piece = text[start : start + MAX_EVENT_CHARACTERS]
        # The last piece ends with the slice, even if replaced characters changed its length.
        end = part.next_offset if start + MAX_EVENT_CHARACTERS >= len(text) else offset + len(piece.encode())
        events += _event("log", end, offset=offset, text=piece)
        offset = end
    if part.is_last:
        events += _event("end", part.next_offset, status=part.status)
    return events


def _event(name: str, end: int, **data: Any) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(data), id=str(end))
