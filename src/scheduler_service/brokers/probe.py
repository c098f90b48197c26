"""Checks whether Redis responds, for the health endpoints."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import RedisError

from scheduler_service.addresses import redis_tls, without_query
from scheduler_service.errors import UnavailableError

PING_SECONDS = 2.0


class RedisProbe:
    """A separate connection to Redis.

    The broker's connection can be busy, and it retries where a probe must fail at once.
    """

    def __init__(self, url: str) -> None:
        """Store the URL. The first `ping` connects."""
        self._redis = Redis.from_url(
            without_query(url),
            socket_timeout=PING_SECONDS,
            socket_connect_timeout=PING_SECONDS,
            max_connections=2,
            **(redis_tls(url) or {}),
        )

    async def ping(self) -> None:
        """Raise `UnavailableError` if Redis does not respond."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            raise UnavailableError(f"Redis does not answer: {type(error).__name__}") from error

    async def close(self) -> None:
        """Release the connection."""
        await self._redis.aclose()
