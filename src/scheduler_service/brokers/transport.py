"""Filters what kombu's Redis transport receives: an item that is not a message is dropped and counted.

Kombu decodes items outside any error handling. An item that is not JSON, or has an unexpected shape, would end the
worker, so items are checked before kombu sees them.
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
    """A thread-safe count of the items that this process dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self, queue: str, reason: str) -> None:
        """Count an item and log the reason."""
        with self._lock:
            self._count += 1
        log.warning("message_dropped", queue=queue, reason=reason)

    def take(self) -> int:
        """Return the number of items dropped since the last call."""
        with self._lock:
            count, self._count = self._count, 0
        return count


dropped = Dropped()


class Client(Redis):
    """A Redis client whose BRPOP returns only valid messages."""

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Return the server's response, or None if it is an item that is not a message."""
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
    """A channel that drops broadcasts that kombu cannot decode."""

    def _get_client(self) -> type[Redis]:
        super()._get_client()  # type: ignore[no-untyped-call] # checks the redis-py version
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
    """The transport for `redis://` and `rediss://` URLs in processes of this service."""

    Channel = Channel


def install() -> None:
    """Register this transport with kombu for Redis URLs in this process."""
    for scheme in SCHEMES:
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"


def _filtered(queue: str, item: bytes) -> bytes:
    if queue.startswith(OUR_QUEUES):
        return Message.read(item).write(queue)
    # Replies to Celery's remote control commands.
    try:
        payload = loads(item.decode())
    except (ValueError, RecursionError):
        raise UnreadableError("not JSON") from None
    if not is_message(payload):
        raise UnreadableError("not a message of Celery")
    return item
