"""Requests a URL periodically, so that an outside monitor notices when the service is not healthy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from scheduler_service.outbound.address_guard import RefusedError
from scheduler_service.outbound.web import NotDeliveredError, ping

log = structlog.get_logger(__name__)


class HeartbeatUrl:
    """Requests a URL after each interval at whose end the service is healthy."""

    def __init__(self, url: str, interval_seconds: float, is_healthy: Callable[[], Awaitable[bool]]) -> None:
        """Request `url` if `is_healthy` returns True, which means that all due runs are being served."""
        self._url = url
        self._interval_seconds = interval_seconds
        self._is_healthy = is_healthy

    async def request(self) -> float:
        """Request the URL if the service is healthy. Return the seconds until the next call."""
        if not await self._is_healthy():
            log.warning("heartbeat_url_skipped", reason="the service is not ready")
            return self._interval_seconds
        try:
            await ping(self._url)
        except (NotDeliveredError, RefusedError) as error:
            log.warning(
                "heartbeat_url_failed", error=type(error).__name__
            )  # its text contains the URL, which is a secret
        return self._interval_seconds
