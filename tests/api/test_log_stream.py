"""The bytes that are sent while a log is followed."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import pytest

from scheduler_service.api import log_stream
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.errors import UnavailableError
from scheduler_service.services.runs import LogSlice

SILENCE = LogSlice(b"", 0, RunStatus.RUNNING)


async def written(*parts: LogSlice | Exception) -> list[bytes]:
    async def come() -> AsyncIterator[LogSlice]:
        for part in parts:
            if isinstance(part, Exception):
                raise part
            yield part

    return [piece async for piece in log_stream.log_events(come())]


async def test_nothing_is_sent_when_the_log_does_not_grow() -> None:
    assert await written(SILENCE, SILENCE) == []


async def test_comment_is_sent_when_the_heartbeat_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_stream, "HEARTBEAT_SECONDS", 0.0)

    assert await written(SILENCE, SILENCE) == [b": ping\n\n"] * 2


async def test_last_event_carries_the_status_of_the_run() -> None:
    (piece,) = await written(LogSlice(b"two\n", 8, RunStatus.SUCCESS))

    assert piece == (
        b'event: log\ndata: {"offset": 4, "text": "two\\n"}\nid: 8\n\n'
        b'event: end\ndata: {"status": "success"}\nid: 8\n\n'
    )


async def test_status_event_is_sent_each_time_the_run_starts_waiting() -> None:
    states = [RunStatus.QUEUED, RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.RETRYING, RunStatus.RETRYING]

    pieces = await written(*(LogSlice(b"", 0, status) for status in states))

    assert [json.loads(re.findall(rb"data: (.*)", piece)[0])["status"] for piece in pieces] == ["queued", "retrying"]
    assert all(piece.startswith(b"event: status\n") for piece in pieces)


async def test_long_output_is_split_into_events_below_a_megabyte() -> None:
    """Clients refuse events of a megabyte or more, and JSON writes six bytes and more for some characters."""
    text = "\0" * 100_000 + "\U0001f600" * 100_000 + "the end\n"
    data = text.encode()

    pieces = await written(LogSlice(data, 5 + len(data), RunStatus.SUCCESS))

    events = [
        dict(line.split(": ", 1) for line in event.split("\n"))
        for event in b"".join(pieces).decode().split("\n\n")[:-1]
    ]
    logs = [json.loads(event["data"]) for event in events[:-1]]
    assert max(len(event["data"]) for event in events) < 2**20
    assert "".join(log["text"] for log in logs) == text
    assert [log["offset"] for log in logs] == [5, *(int(event["id"]) for event in events[:-2])]
    assert [event["event"] for event in events] == ["log"] * len(logs) + ["end"]
    assert events[-2]["id"] == events[-1]["id"] == str(5 + len(data))


async def test_end_event_is_not_sent_when_the_database_is_lost() -> None:
    pieces = await written(LogSlice(b"one\n", 4, RunStatus.RUNNING), UnavailableError("gone"))

    assert [piece.split(b"\n")[0] for piece in pieces] == [b"event: log"]


@pytest.mark.parametrize(
    ("accept", "is_asked"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream; q=0.9", True),
        ("text/plain, text/event-stream", True),
        ("text/event-stream;q=0", False),
        ("text/event-stream; Q=0.00, text/plain", False),
        ("text/event-stream;q=0.001", True),
        ("*/*", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_events_are_sent_when_the_accept_header_asks(accept: str, *, is_asked: bool) -> None:
    assert log_stream.accepts_events(accept) is is_asked
