"""Events over HTTP, by server-sent events (HTML Standard, section 9.2)."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse

from scheduler_service.api import examples
from scheduler_service.api.deps import CurrentService
from scheduler_service.api.log_stream import EVENT_STREAM, HEARTBEAT_SECONDS
from scheduler_service.api.schemas.events import EventOut
from scheduler_service.domain.events import Event, Position
from scheduler_service.errors import UnavailableError
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import refusals
from scheduler_service.http.route import KeyedRoute

router = APIRouter(
    prefix="/api/v1/events", tags=["events"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)

log = structlog.get_logger(__name__)


@router.get(
    "",
    operation_id="followEvents",
    summary="Follow what happens",
    response_class=Response,
    responses={
        200: {
            "description": "The events, without an end.",
            "content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": examples.EVENTS}},
        },
        **refusals(),
    },
)
async def follow_events(
    service: CurrentService,
    caller: CurrentCaller,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            description="Id of the last event received. Without it, the stream starts with the next event.",
            max_length=64,
        ),
    ] = None,
) -> Response:
    """Each change of a job or run, once it is committed, in an order that never changes.

    A client that lost the connection goes on by `Last-Event-ID` and misses nothing that is younger than
    SCHEDULER_EVENT_RETENTION_HOURS. One that comes later than that is told first, by an event `stream.gap`.
    """
    position = await service.events.start(caller, last_event_id)
    is_late = last_event_id is not None and await service.events.may_have_a_gap(position)
    batches = service.events.follow(caller, position, service.stopping)
    # nginx would gather events up.
    greeting = _gap(position) if is_late else KEEPALIVE_COMMENT
    return StreamingResponse(_stream(greeting, batches), media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})


async def _stream(greeting: bytes, batches: AsyncIterator[Sequence[Event]]) -> AsyncIterator[bytes]:
    # The headers go out with the first bytes; the client is to know at once that it is heard.
    yield greeting
    sent_at = time.monotonic()
    try:
        async for batch in batches:
            if batch:
                yield b"".join(_written(event) for event in batch)
            elif time.monotonic() - sent_at >= HEARTBEAT_SECONDS:
                yield KEEPALIVE_COMMENT
            else:
                continue
            sent_at = time.monotonic()
    except UnavailableError as error:
        log.warning("event_stream_cut_off", error=str(error))


def _gap(position: Position) -> bytes:
    """Build the event that says that events after a position may be missing: clients have to read states again."""
    data = json.dumps({"type": "stream.gap", "after": str(position)})
    return format_sse_event(event="stream.gap", data_str=data, id=str(position))


def _written(event: Event) -> bytes:
    shown = EventOut.of(event)
    return format_sse_event(event=shown.type, data_str=shown.model_dump_json(), id=str(event.position))
