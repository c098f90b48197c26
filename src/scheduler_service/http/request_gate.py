"""Decides whether a request is served now: by its key, by its address, and by how much is being worked on.

- Each key may send `requests_per_minute`. Beyond it, requests get 429.
- Each address may send `wrong_keys_per_minute` wrong keys. Beyond it, they get 429, not 401, and only keys that are
  known in this process are looked at. A request without any key costs nothing and does not count. A valid key still
  works, because an address may be shared: a neighbour must not lock others out. The limit bounds the cost of wrong
  keys; guessing is hopeless without it, as a key has 256 random bits, and production demands 16 characters of API_KEY.
- `max_requests` are worked on at once, from the end of a request's body until its response is known. Beyond it,
  requests get 503. Clients that send or read slowly do not count.
- Each key may keep `max_streams` event streams open. Beyond it, streams get 429.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import HTTPConnection, Request

from scheduler_service.config.settings import Settings
from scheduler_service.domain.caller import Caller
from scheduler_service.http import error_responses
from scheduler_service.http.client_address import client_address, network_of
from scheduler_service.http.request_counters import WINDOW_SECONDS, Allowance, Counters, RateLimit

ALLOWANCE = "rate_allowance"
"""Key of the scope's state for the fields RateLimit and RateLimit-Policy of the response."""


class RequestGate:
    """Admits requests within the limits of the settings."""

    def __init__(self, settings: Settings, counters: Counters) -> None:
        self._settings = settings
        self._keys = RateLimit("key", settings.requests_per_minute, counters)
        self._addresses = RateLimit("address", settings.wrong_keys_per_minute, counters)
        self._working = 0
        self._streams: Counter[str | None] = Counter()

    def address_of(self, connection: HTTPConnection) -> str | None:
        """Return the address of the client."""
        return client_address(connection, self._settings.trusted_proxies)

    def is_suspect(self, request: Request) -> bool:
        """Return whether an address has sent too many wrong keys."""
        return self._addresses.is_exhausted(network_of(self.address_of(request)))

    async def admit(self, request: Request, caller: Caller) -> None:
        """Count a request of a key. Raise 429 if there are too many."""
        allowance = await self._keys.take(caller.key_id or "")
        _note(request, "key", allowance)
        if allowance is not None and not allowance.is_granted:
            raise error_responses.too_many_requests(
                f"this key may send {allowance.limit} requests a minute (SCHEDULER_REQUESTS_PER_MINUTE); wait",
                allowance.reset_seconds,
            )

    async def note_wrong_key(self, request: Request) -> None:
        """Count a wrong key. Raise 429 if its address sends too many."""
        allowance = await self._addresses.take(network_of(self.address_of(request)))
        _note(request, "address", allowance)
        if allowance is not None and not allowance.is_granted:
            raise error_responses.too_many_requests(
                "too many wrong keys from this address; wait, and check the key",
                allowance.reset_seconds,
            )

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count a request as being worked on. Raise 503 if there are too many."""
        if self._working >= self._settings.max_requests:
            raise error_responses.overloaded()
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1

    @contextmanager
    def streaming(self, caller: Caller) -> Iterator[None]:
        """Count an open event stream of a key. Raise 429 if there are too many."""
        if self._streams[caller.key_id] >= self._settings.max_streams:
            raise error_responses.too_many_requests(
                f"this key has {self._settings.max_streams} event streams open (SCHEDULER_MAX_STREAMS); close one",
                error_responses.RETRY_AFTER_SECONDS,
            )
        self._streams[caller.key_id] += 1
        try:
            yield
        finally:
            self._streams[caller.key_id] -= 1
            self._streams += Counter()  # drops those of 0


def rate_headers(state: object) -> dict[str, str]:
    """Return the fields RateLimit and RateLimit-Policy that describe what `_note` has stored."""
    kind, allowance = state.get(ALLOWANCE, (None, None)) if isinstance(state, dict) else (None, None)
    if not isinstance(allowance, Allowance):
        return {}
    return {
        "RateLimit": f'"{kind}";r={allowance.remaining};t={allowance.reset_seconds}',
        "RateLimit-Policy": f'"{kind}";q={allowance.limit};w={WINDOW_SECONDS}',
    }


def _note(request: Request, kind: str, allowance: Allowance | None) -> None:
    request.scope.setdefault("state", {})[ALLOWANCE] = kind, allowance
