"""What a message carries: the ids of a run. All else that a queue holds is dropped before anything acts on it.

Everybody who reaches Redis can put anything into its lists. Celery reads far more than the ids from a message (times,
callbacks, names), and what it cannot read ends its process. So an item of our queues is read here, strictly, and the
message that Celery gets is written anew from the ids.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

TASK = "scheduler.execute_run"
CORRELATION_HEADER = "scheduler_correlation_id"
# W3C Trace Context, section 3.2. Workers go by the row, which no lost or repeated message can put in doubt.
TRACE_HEADER = "traceparent"
# Ours have about one KiB.
LONGEST_ITEM_BYTES = 16 * 1024
LARGEST_ID = 2**63 - 1
LONGEST_HEADER = 128


class UnreadableError(ValueError):
    """The item is no message of ours; the text says why, and holds nothing of the item."""


@dataclass(frozen=True, slots=True)
class Message:
    """The ids that a message carries: run `run_id` may be claimed, with `attempt` attempts so far."""

    run_id: int
    attempt: int
    correlation_id: str | None = None
    trace_parent: str | None = None

    @classmethod
    def read(cls, item: bytes) -> Self:
        """Read an item of a queue; raises `UnreadableError`."""
        if len(item) > LONGEST_ITEM_BYTES:
            raise UnreadableError(f"longer than {LONGEST_ITEM_BYTES} bytes")
        payload = _load(item)
        headers, properties = payload.get("headers"), payload.get("properties")
        if not (isinstance(headers, dict) and isinstance(properties, dict)):
            raise UnreadableError("not a message of Celery")
        if headers.get("task") != TASK:
            raise UnreadableError("another task")
        run_id, attempt = _ids(payload.get("body"), properties.get("body_encoding"))
        return cls(run_id, attempt, _header(headers, CORRELATION_HEADER), _header(headers, TRACE_HEADER))

    def write(self, queue: str) -> bytes:
        """Write the message that Celery gets, as if it had been published to `queue` (Celery's protocol, version 2)."""
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
    """Return the name of the message that leads to the attempt after `attempt`."""
    return f"run-{run_id}-{attempt + 1}"


def is_message(payload: object) -> bool:
    """Return whether kombu can make a message of what it decoded; for queues and channels that are not ours."""
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
    is_sound = isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= LONGEST_HEADER
    return value if is_sound else None
