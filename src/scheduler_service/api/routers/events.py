"""The endpoint of the event stream, which sends server-sent events (HTML Standard, section 9.2)."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Self

import structlog
from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import AfterValidator, Field

from scheduler_service.api.deps import CurrentService
from scheduler_service.domain.events import Event, Position
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.errors import UnavailableError
from scheduler_service.http.answers import Answer
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.held_stream import EVENT_STREAM, HEARTBEAT_SECONDS, event_stream
from scheduler_service.http.openapi_responses import refusals
from scheduler_service.http.parameters import Id, Separated
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.events import EventFilter
from scheduler_service.services.input_models import Input

EVENTS = (
    'event: run.success\ndata: {"type": "run.success", "at": "2026-01-15T10:30:05Z", "job_id": 1, "job_name": '
    '"Mathematical Analysis", "owner_id": "math_team", "run_id": 1, "attempt": 1, "reason": null, "duration_seconds": '
    '5.0, "lateness_seconds": null, "missed_count": null, "correlation_id": "5f0c1c5e7f6a4c0c9d5a1c1b5b0e9a77"}\n'
    "id: 731-17\n\n"
)


class EventOut(Answer):
    """A change of a job or of a run."""

    type: Annotated[str, Field(description="`job.` or `run.` and what happened, such as `run.success`.")]
    at: Annotated[datetime, Field(description="When it happened.")]
    job_id: Annotated[int, Field(description="Identifier of the job.")]
    job_name: Annotated[str | None, Field(description="Name of the job. Null: the job is gone.")]
    owner_id: Annotated[str | None, Field(description="Owner of the job. Null: the job is gone.")]
    run_id: Annotated[int | None, Field(description="Identifier of the run. Null for events of jobs.")]
    attempt: Annotated[
        int | None, Field(description="Number of the attempt, counted from 1. Null: not about an attempt.")
    ]
    reason: Annotated[Reason | None, Field(description="Why a run ended without success. Null: no reason.")]
    duration_seconds: Annotated[
        float | None, Field(description="Duration of the attempt, in seconds. Null: it has not ended.")
    ]
    lateness_seconds: Annotated[
        float | None,
        Field(description="Time from the scheduled instant to the start, in seconds. Null: not about a start."),
    ]
    missed_count: Annotated[
        int | None, Field(description="Number of instants that a `missed` row stands for. Null for other events.")
    ]
    correlation_id: Annotated[
        str | None, Field(description="Follows the run through logs and requests. Null for events of jobs.")
    ]

    @classmethod
    def of(cls, event: Event) -> Self:
        """Show an event."""
        copied = {name: getattr(event, name) for name in cls.model_fields if name != "type"}
        return cls(type=f"{event.subject}.{event.change}", **copied)


_TYPES = frozenset(
    {
        *(f"job.{change}" for change in ("created", "changed", "paused", "resumed", "finished", "deleted")),
        *(f"run.{status}" for status in RunStatus),
        "run.fenced",
        "run.faulted",
    }
)


def _check_type(value: str) -> str:
    if value not in _TYPES:
        raise ValueError(f"unknown type; known are {', '.join(sorted(_TYPES))}")
    return value


class EventsQuery(Input):
    """Which events are sent."""

    job_id: Annotated[Id | None, Field(description="Only events of this job and of its runs.")] = None
    run_id: Annotated[Id | None, Field(description="Only events of this run.")] = None
    type: Annotated[
        Annotated[list[Annotated[str, AfterValidator(_check_type)]], Field(max_length=32)],
        Separated,
        Field(description="Only events of these types: `type=run.failed,run.missed`, or the parameter repeated."),
    ] = Field(default_factory=list)

    def wanted(self) -> EventFilter:
        """Return the filter."""
        return EventFilter(self.job_id, self.run_id, frozenset(self.type))


router = APIRouter(
    prefix="/api/v1/events", tags=["events"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)

log = structlog.get_logger(__name__)


@router.get(
    "",
    operation_id="followEvents",
    summary="Follow events",
    response_class=Response,
    responses={
        200: {
            "description": "The events, without an end.",
            "content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": EVENTS}},
        },
        **refusals(),
    },
)
async def follow_events(
    query: Annotated[EventsQuery, Query()],
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
    """Every change of a job or run, after its commit, in a stable order.

    After a lost connection, a client continues with `Last-Event-ID` and misses no event that is younger than
    SCHEDULER_EVENT_RETENTION_HOURS. If older events are missing, the stream starts with an event `stream.gap`. A client
    that does not read its events is disconnected.
    """
    position = await service.events.start(caller, last_event_id)
    is_late = last_event_id is not None and await service.events.may_have_a_gap(position)
    batches = service.events.follow(caller, position, service.stopping, query.wanted())
    greeting = _gap(position) if is_late else KEEPALIVE_COMMENT
    return event_stream(_stream(greeting, batches))


async def _stream(greeting: bytes, batches: AsyncIterator[Sequence[Event]]) -> AsyncIterator[bytes]:
    # Sends the headers at once, so that the client knows that it is connected.
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
        log.warning("event_stream_interrupted", error=str(error))


def _gap(position: Position) -> bytes:
    """Return the event that tells clients to read states again, because events after a position may be missing."""
    data = json.dumps({"type": "stream.gap", "after": str(position)})
    return format_sse_event(event="stream.gap", data_str=data, id=str(position))


def _written(event: Event) -> bytes:
    shown = EventOut.of(event)
    return format_sse_event(event=shown.type, data_str=shown.model_dump_json(), id=str(event.position))
