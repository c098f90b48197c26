"""The endpoints of a run's log."""

from __future__ import annotations

from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import ConfigDict, Field
from starlette.responses import StreamingResponse

from scheduler_service.api import examples
from scheduler_service.api.deps import CurrentService
from scheduler_service.api.log_stream import accepts_events, log_events
from scheduler_service.api.routers.runs import RUNS
from scheduler_service.api.schemas.queries import LogQuery, LogSearchQuery
from scheduler_service.errors import NotFoundError
from scheduler_service.http.answers import Answer
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.held_stream import EVENT_STREAM, event_stream
from scheduler_service.http.openapi_responses import LOG_HEADERS, answer, refusals
from scheduler_service.http.parameters import Offset, RunId
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.run_logs import LogLines, LogMatches

router = APIRouter(prefix=RUNS, tags=["runs"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

LastEventId = Annotated[
    Offset | None,
    Header(alias="Last-Event-ID", description="Id of the last event received. The log continues after it."),
]


MATCHES: dict[str, Any] = {
    "matches": [{"line": 120, "offset": 4711, "text": "ValueError: the report is empty"}],
    "next_line": None,
}


class LogMatchOut(Answer):
    """A line of a log that contains the searched text."""

    model_config = ConfigDict(title="LogMatch")

    line: Annotated[int, Field(description="Number of the line, counted from 1.")]
    offset: Annotated[int, Field(description="Where the line begins, in bytes.")]
    text: Annotated[str, Field(description="Up to 400 characters of the line, around the match.")]


class LogMatchesOut(Answer):
    """The lines of a log that contain the searched text."""

    model_config = ConfigDict(title="LogMatches", json_schema_extra={"examples": [MATCHES]})

    matches: Annotated[list[LogMatchOut], Field(description="The lines, in order.")]
    next_line: Annotated[
        int | None,
        Field(description="`from_line` of the next request, if there are more lines to search. Null: there are none."),
    ]

    @classmethod
    def of(cls, found: LogMatches) -> Self:
        """Return matches as the API shows them."""
        matches = [LogMatchOut(line=each.line, offset=each.offset, text=each.text) for each in found.matches]
        return cls(matches=matches, next_line=found.next_line)


@router.get(
    "/{run_id}/logs",
    operation_id="readRunLog",
    summary="Read or follow the log of a run",
    response_class=Response,
    responses={
        200: {
            "description": "The log: as text, or as events while it grows.",
            "content": {
                "text/plain": {"schema": {"type": "string"}, "example": "3.141592653589793\n"},
                EVENT_STREAM: {"schema": {"type": "string"}, "example": examples.LOG_EVENTS},
            },
            "headers": LOG_HEADERS,
        },
        **refusals(NotFoundError),
    },
)
async def read_log(
    run_id: RunId,
    query: Annotated[LogQuery, Query()],
    service: CurrentService,
    caller: CurrentCaller,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    last_event_id: LastEventId = None,
) -> Response:
    """As text from `offset` on. The header `X-Next-Offset` is the offset of the next request.

    With `Accept: text/event-stream`, the log is followed live until the run ends. An event `log` contains `text` and
    its `offset`; its id is the offset after the text, so a client can reconnect with `Last-Event-ID`. An event `end`
    contains the run's `status`. A stream without `end` was interrupted.

    With `from_line`, the answer contains up to `lines` lines, 1 MiB at most. `X-From-Line` is the number of the first
    one, `X-Next-Line` the line with which the next request begins. With a negative `from_line`, `X-Lines` counts all.
    """
    if query.from_line is not None:
        return _lines(await service.logs.lines(caller, run_id, query.from_line, query.lines))
    if not accepts_events(accept):
        part = await service.runs.read_log(caller, run_id, query.offset)
        end = max(part.next_offset, part.log_bytes)
        headers = {"X-Next-Offset": str(end), "X-Run-Status": part.status}
        if not part.is_behind:
            return Response(part.data, media_type="text/plain", headers=headers)
        pieces = service.runs.read_pieces(caller, run_id, query.offset, end)
        return StreamingResponse(pieces, media_type="text/plain", headers=headers)
    offset = query.offset if last_event_id is None else last_event_id
    await service.runs.read_log(caller, run_id, offset)
    parts = service.runs.follow_log(caller, run_id, offset, service.stopping)
    return event_stream(log_events(parts))


@router.get(
    "/{run_id}/logs/search",
    operation_id="searchRunLog",
    summary="Search the log of a run",
    responses={200: answer("The lines with the text.", MATCHES), **refusals(NotFoundError)},
)
async def search_log(
    run_id: RunId, query: Annotated[LogSearchQuery, Query()], service: CurrentService, caller: CurrentCaller
) -> LogMatchesOut:
    """Return the lines that contain a text. Case does not matter."""
    return LogMatchesOut.of(await service.logs.search(caller, run_id, query.q, query.from_line, query.limit))


def _lines(part: LogLines) -> Response:
    headers = {
        "X-From-Line": str(part.first_line),
        "X-Next-Line": str(part.next_line),
        "X-Next-Offset": str(part.next_offset),
        "X-Run-Status": part.status,
    }
    if part.total is not None:
        headers["X-Lines"] = str(part.total)
    return Response(part.data, media_type="text/plain", headers=headers)
