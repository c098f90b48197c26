"""Kombu's transport to Redis, behind a filter: what is no message is dropped and counted, and the process goes on.

Kombu decodes an item where no error of it is handled: one that is not JSON, or not of the shape that it expects, ends
a worker. So items are looked at before kombu sees them.
"""

from __future__ import annotations

import threading
from queue import Empty
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from kombu.utils.json import loads
from redis import Redis

from scheduler_service.brokers.message import Message, UnreadableError, is_message

OUR_QUEUES = "runs."
SCHEMES = ("redis", "rediss")

log = structlog.get_logger(__name__)


class Dropped:
    """How many items this process dropped; any thread may count."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._count = 0

    def add(self, queue: str, reason: str) -> None:
        """Count an item, and log why it was dropped."""
        with self._lock:
            self._count += 1
        log.warning("message_dropped", queue=queue, reason=reason)

    def take(self) -> int:
        """Return how many were dropped since the last call."""
        with self._lock:
            count, self._count = self._count, 0
        return count


dropped = Dropped()


class Client(Redis):
    """A client whose BRPOP answers with messages alone."""

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Read an answer of the server; None where it brought an item that is no message."""
        answer = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name != "BRPOP" or not answer:
            return answer
        key, item = answer
        queue = key.decode(errors="replace").split(Channel.sep)[0]
        try:
            return key, _filtered(queue, item)
        except UnreadableError as error:
            dropped.add(queue, str(error))
            return None


class Channel(kombu_redis.Channel):
    """A channel that drops what others broadcast and kombu could not read."""

    def _get_client(self) -> type[Redis]:
        super()._get_client()  # type: ignore[no-untyped-call] # which checks the version of the library
        return Client

    def _deliver_fanout_message(self, message: Any, exchange: str) -> bool:
        if exchange in self._fanout_to_queue and is_message(message):
            return bool(super()._deliver_fanout_message(message, exchange))  # type: ignore[no-untyped-call]
        dropped.add(exchange, "not a message of Celery")
        raise Empty

    def _receive_one(self, c: Any) -> Any:
        try:
            return super()._receive_one(c)  # type: ignore[no-untyped-call]
        except RecursionError:
            dropped.add("broadcast", "not JSON")
            raise Empty from None


class Transport(kombu_redis.Transport):
    """The transport of `redis://` and `rediss://` in processes of this service."""

    Channel = Channel


def install() -> None:
    """Make kombu use this transport for the URLs of Redis, in this process."""
    for scheme in SCHEMES:
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"


def _filtered(queue: str, item: bytes) -> bytes:
    if queue.startswith(OUR_QUEUES):
        return Message.read(item).write(queue)
    # Answers to who inspects workers.
    try:
        payload = loads(item.decode())
    except (ValueError, RecursionError):
        raise UnreadableError("not JSON") from None
    if not is_message(payload):
        raise UnreadableError("not a message of Celery")
    return item
