"""Whether Redis answers, for those who ask how the service is."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import RedisError

from scheduler_service.addresses import redis_tls, without_query
from scheduler_service.errors import UnavailableError

PING_SECONDS = 2.0


class RedisProbe:
    """A connection of its own: the broker's may be busy, and tries again where this one is to tell at once."""

    def __init__(self, url: str) -> None:
        """Connect when asked first."""
        self._redis = Redis.from_url(
            without_query(url),
            socket_timeout=PING_SECONDS,
            socket_connect_timeout=PING_SECONDS,
            max_connections=2,
            **(redis_tls(url) or {}),
        )

    async def ping(self) -> None:
        """Return if it answers; raises `UnavailableError`."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            raise UnavailableError(f"Redis does not answer: {type(error).__name__}") from error

    async def close(self) -> None:
        """Release the connection."""
        await self._redis.aclose()
