"""Counts requests in a sliding window of a minute: in this process, or in Redis for all processes together.

Theory of operation. A process takes a part of the allowance of a name (a key, an address) at once, a hundredth of the
limit, and spends it without asking again. A request therefore costs a round trip to Redis only now and then, and the
limit is exact to a hundredth for each process. A refusal is remembered until the window has moved on. If Redis does not
answer, each process counts alone.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from scheduler_service.addresses import redis_tls, without_query

WINDOW_SECONDS = 60
_PARTS = 100
_MAX_NAMES = 10_000
_REDIS_SECONDS = 0.5
_ALONE_SECONDS = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a name may still do: how much of `limit` remains, and after how many seconds there is more."""

    limit: int
    remaining: int
    reset_seconds: int
    is_granted: bool


@dataclass(slots=True)
class _Share:
    """The part of an allowance that this process has taken. `others` is what remained beside it."""

    left: int
    others: int
    is_refused: bool
    until: float
    reset_at: float


class Counters:
    """Where counts are kept."""

    def __init__(self, redis_url: str | None = None) -> None:
        self._alone = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._redis = _open_redis(redis_url) if redis_url else None
        self._together = SlidingWindowCounterRateLimiter(self._redis) if self._redis else None
        self._alone_until = 0.0

    async def take(self, item: RateLimitItemPerMinute, name: str, amount: int) -> tuple[bool, int, float]:
        """Take an amount, if so much is left. Return whether, how much remains, and in how many seconds that grows."""
        for limiter in self._limiters():
            try:
                is_taken = await limiter.hit(item, name, cost=amount)
                stats = await limiter.get_window_stats(item, name)
            except StorageError as error:
                self._alone_until = time.monotonic() + _ALONE_SECONDS
                log.warning(
                    "request_counters_failed",
                    error=type(error.storage_error).__name__,
                    effect="counted by each process",
                )
                continue
            return is_taken, stats.remaining, max(stats.reset_time - time.time(), 0.0)
        raise AssertionError("memory always answers")

    async def aclose(self) -> None:
        """Release the connections."""
        if self._redis is not None:
            await self._redis.bridge.storage.aclose()  # type: ignore[attr-defined] # of the implementation

    def _limiters(self) -> Iterator[SlidingWindowCounterRateLimiter]:
        if self._together is not None and time.monotonic() >= self._alone_until:
            yield self._together
        yield self._alone


class RateLimit:
    """Limits how often each name may do something in a minute. A limit of 0 limits nothing."""

    def __init__(self, kind: str, per_minute: int, counters: Counters) -> None:
        self.kind = kind
        self.per_minute = per_minute
        self._counters = counters
        self._item = RateLimitItemPerMinute(max(per_minute, 1), namespace=f"scheduler/{kind}")
        self._shares: OrderedDict[str, _Share] = OrderedDict()

    def is_exhausted(self, name: str) -> bool:
        """Return whether the last request of a name was refused, and nothing has become free since then."""
        share = self._shares.get(name)
        return share is not None and share.is_refused and time.monotonic() < share.until

    async def take(self, name: str) -> Allowance | None:
        """Count a request of a name. Return None if there is no limit."""
        if not self.per_minute:
            return None
        share = self._shares.get(name)
        if share is None or time.monotonic() >= share.until or not (share.left or share.is_refused):
            share = await self._fetch(name)
        is_granted = share.left > 0
        share.left -= is_granted
        reset_seconds = max(1, math.ceil(share.reset_at - time.monotonic()))
        return Allowance(self.per_minute, share.left + share.others, reset_seconds, is_granted)

    async def _fetch(self, name: str) -> _Share:
        for amount in dict.fromkeys((max(self.per_minute // _PARTS, 1), 1)):
            is_taken, others, reset_in = await self._counters.take(self._item, name, amount)
            if is_taken:
                break
        now = time.monotonic()
        life = WINDOW_SECONDS if is_taken else max(min(reset_in, WINDOW_SECONDS), 1.0)
        share = _Share(amount if is_taken else 0, others if is_taken else 0, not is_taken, now + life, now + reset_in)
        if is_taken and (known := self._shares.get(name)) is not None and now < known.until:
            share.left += known.left  # another request has taken a part meanwhile
        self._shares[name] = share
        self._shares.move_to_end(name)
        if len(self._shares) > _MAX_NAMES:
            self._shares.popitem(last=False)
        return share


def _open_redis(url: str) -> RedisStorage:
    options = {"socket_timeout": _REDIS_SECONDS, "socket_connect_timeout": _REDIS_SECONDS, **(redis_tls(url) or {})}
    return RedisStorage(f"async+{without_query(url)}", implementation="redispy", wrap_exceptions=True, **options)
