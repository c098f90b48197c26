"""Reads and writes the messages in the queues. A message carries the ids of a run.

Theory of operation. Anyone with access to Redis can write to its lists. Celery reads more than the ids from a message
(times, callbacks, names), and a message that it cannot read ends its process. `Message.read` therefore parses each item
strictly, and `Message.write` builds the message for Celery from the ids alone.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

TASK = "scheduler.execute_run"
CORRELATION_HEADER = "scheduler_correlation_id"
# W3C Trace Context, section 3.2. Workers use the context in the run's row, since messages can be lost or repeated.
TRACE_HEADER = "traceparent"
# Messages of this service have about 1 KiB.
MAX_ITEM_BYTES = 16 * 1024
LARGEST_ID = 2**63 - 1
MAX_HEADER_CHARACTERS = 128


class UnreadableError(ValueError):
    """The item is not a message of this service. The text gives the reason and contains nothing of the item."""


@dataclass(frozen=True, slots=True)
class Message:
    """The ids in a message: run `run_id`, which has had `attempt` attempts, may be claimed."""

    run_id: int
    attempt: int
    correlation_id: str | None = None
    trace_parent: str | None = None

    @classmethod
    def read(cls, item: bytes) -> Self:
        """Parse a queue item. Raise `UnreadableError` if it is not a message of this service."""
        if len(item) > MAX_ITEM_BYTES:
            raise UnreadableError(f"longer than {MAX_ITEM_BYTES} bytes")
        payload = _load(item)
        headers, properties = payload.get("headers"), payload.get("properties")
        if not (isinstance(headers, dict) and isinstance(properties, dict)):
            raise UnreadableError("not a message of Celery")
        if headers.get("task") != TASK:
            raise UnreadableError("another task")
        run_id, attempt = _ids(payload.get("body"), properties.get("body_encoding"))
        return cls(run_id, attempt, _header(headers, CORRELATION_HEADER), _header(headers, TRACE_HEADER))

    def write(self, queue: str) -> bytes:
        """Return the message for Celery, as if published to `queue` (Celery message protocol, version 2)."""
        body = json.dumps([[self.run_id, self.attempt], {}, _NOTHING_FOLLOWS]).encode()
        return json.dumps(
            {
                "body": base64.b64encode(body).decode(),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": self._headers(),
                "properties": {
                    "body_encoding": "base64",
                    "delivery_info": {"exchange": "", "routing_key": queue},
                    "delivery_mode": 2,
                    "delivery_tag": str(uuid4()),
                    "priority": 0,
                },
            }
        ).encode()

    def _headers(self) -> dict[str, Any]:
        name = task_id(self.run_id, self.attempt)
        own = {CORRELATION_HEADER: self.correlation_id, TRACE_HEADER: self.trace_parent}
        return {
            "lang": "py",
            "task": TASK,
            "id": name,
            "root_id": name,
            "parent_id": None,
            "group": None,
            "eta": None,
            "expires": None,
            "retries": 0,
            "timelimit": [None, None],
            "argsrepr": repr((self.run_id, self.attempt)),
            "kwargsrepr": "{}",
            "ignore_result": True,
            **{header: value for header, value in own.items() if value is not None},
        }


def task_id(run_id: int, attempt: int) -> str:
    """Return the id of the message for the attempt after `attempt`."""
    return f"run-{run_id}-{attempt + 1}"


def is_message(payload: object) -> bool:
    """Return whether kombu can handle a decoded item. Used for queues and channels of Celery itself."""
    if not isinstance(payload, dict):
        return False
    properties, headers = payload.get("properties"), payload.get("headers", {})
    return isinstance(properties, dict) and "delivery_tag" in properties and isinstance(headers, dict | None)


_NOTHING_FOLLOWS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def _load(item: bytes | str) -> dict[str, Any]:
    try:
        payload = json.loads(item)
    except (ValueError, RecursionError):
        raise UnreadableError("not JSON") from None
    if not isinstance(payload, dict):
        raise UnreadableError("not a JSON object")
    return payload


def _ids(body: object, encoding: object) -> tuple[int, int]:
    if encoding != "base64" or not isinstance(body, str):
        raise UnreadableError("a body of another encoding")
    try:
        arguments, *_ = json.loads(base64.b64decode(body, validate=True))
        run_id, attempt = arguments
    except (ValueError, TypeError, RecursionError):
        raise UnreadableError("a body without the ids of a run") from None
    if not all(type(number) is int and 0 <= number <= LARGEST_ID for number in (run_id, attempt)):
        raise UnreadableError("a body without the ids of a run")
    return run_id, attempt


def _header(headers: dict[str, Any], name: str) -> str | None:
    value = headers.get(name)
    is_sound = (
        isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= MAX_HEADER_CHARACTERS
    )
    return value if is_sound else None
