"""The dead man's switch: somebody outside is told that all is well, and notices when that stops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from scheduler_service.outbound.address_guard import RefusedError
from scheduler_service.outbound.web import NotDeliveredError, ping

log = structlog.get_logger(__name__)


class Pulse:
    """Asks for a URL after each interval at whose end the service is well."""

    def __init__(self, url: str, interval_seconds: float, is_well: Callable[[], Awaitable[bool]]) -> None:
        """`is_well` says whether every instant is being served."""
        self._url = url
        self._interval_seconds = interval_seconds
        self._is_well = is_well

    async def beat(self) -> float:
        """Request the URL if the service is healthy. Return the seconds until the next call."""
        if not await self._is_well():
            log.warning("pulse_withheld", reason="the service is not ready")
            return self._interval_seconds
        try:
            await ping(self._url)
        except (NotDeliveredError, RefusedError) as error:
            log.warning("pulse_not_sent", error=type(error).__name__)  # the text would hold the URL, which is a secret
        return self._interval_seconds
