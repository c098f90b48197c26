"""Reading messages: which items are valid, and which are dropped."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from scheduler_service.brokers.message import MAX_ITEM_BYTES, Message, UnreadableError, is_message

NOTICE = Message(17, 2, "the-id", "00-trace")


def item(**changes: Any) -> bytes:
    """Return a valid message with other headers, or with another body."""
    payload = json.loads(NOTICE.write("runs.normal"))
    if "body" in changes:
        payload["body"] = base64.b64encode(json.dumps(changes.pop("body")).encode()).decode()
    payload["headers"] |= changes
    return json.dumps(payload).encode()


def test_message_is_read_as_it_was_written() -> None:
    assert Message.read(NOTICE.write("runs.normal")) == NOTICE


def test_fields_other_than_the_ids_are_ignored() -> None:
    foreign = item(
        eta="2099-01-01T00:00:00Z", expires="soon", retries="x", id={}, shadow=["x"], timelimit=3,
        scheduler_correlation_id="a\nb", traceparent=7,
        body=[[17, 2], {"run_id": 9}, {"callbacks": [{"task": "evil"}]}, "more"],
    )  # fmt: skip

    message = Message.read(foreign)

    assert message == Message(17, 2)
    written = json.loads(message.write("runs.high"))
    assert (written["headers"]["id"], written["headers"]["eta"]) == ("run-17-3", None)
    assert json.loads(base64.b64decode(written["body"]))[1:] == [
        {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\x00\x9b", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 10_000, "not JSON"),
        (b"null", "not a JSON object"),
        (b"17", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"{}", "not a message of Celery"),
        (b'{"headers": [], "properties": {}}', "not a message of Celery"),
        (b'{"headers": {}, "properties": null}', "not a message of Celery"),
        (item(task="another.task"), "another task"),
        (item(task=["x"]), "another task"),
        (item(body=[]), "a body without the ids of a run"),
        (item(body=None), "a body without the ids of a run"),
        (item(body=[[17]]), "a body without the ids of a run"),
        (item(body=[[17, 2, 3], {}, {}]), "a body without the ids of a run"),
        (item(body=[["17", 2], {}, {}]), "a body without the ids of a run"),
        (item(body=[[17, True], {}, {}]), "a body without the ids of a run"),
        (item(body=[[-1, 2], {}, {}]), "a body without the ids of a run"),
        (item(body=[[2**63, 2], {}, {}]), "a body without the ids of a run"),
        (b'{"headers": {"task": "scheduler.execute_run"}, "properties": {}, "body": 5}', "a body of another encoding"),
        (
            b'{"headers": {"task": "scheduler.execute_run"}, "properties": {"body_encoding": "base64"}, "body": "%"}',
            "a body without the ids of a run",
        ),
        (item(padding="x" * MAX_ITEM_BYTES), "longer than 16384 bytes"),
    ],
)
def test_invalid_item_is_dropped_with_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=f"^{reason}$"):
        Message.read(raw)


@pytest.mark.parametrize("payload", [None, [], {}, {"properties": []}, {"properties": {}, "headers": {}}, "x", 7])
def test_invalid_broadcast_is_dropped(payload: object) -> None:
    assert not is_message(payload)


def test_valid_broadcast_is_read() -> None:
    assert is_message(json.loads(NOTICE.write("celery.pidbox")))
