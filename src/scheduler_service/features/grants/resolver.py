"""Resolves the host names of grants. The job's own DNS answers do not count, so they cannot widen a grant."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address

import structlog

REMEMBERED_SECONDS = 600.0
"""How long an address of an earlier answer stays allowed: a nameserver may list only some addresses at a time."""
FRESH_SECONDS = 15.0
_TIMEOUT_SECONDS = 5.0

log = structlog.get_logger(__name__)


_METADATA = frozenset(map(ip_address, ("168.63.129.16", "100.100.100.200", "fd00:ec2::254")))
"""The metadata services of clouds that are not link-local, as 169.254.169.254 is: they hand out credentials."""


class Resolver:
    """Keeps the addresses of names, each for `REMEMBERED_SECONDS` after the last answer that had it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: dict[str, dict[str, float]] = {}
        self._asked_at: dict[str, float] = {}

    async def resolve(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return the addresses of each name, the newest first. The list is empty if the name cannot be resolved."""
        wanted = sorted(set(names))
        await asyncio.gather(*(self._refresh(name) for name in wanted if self._is_stale(name)))
        return {name: self._addresses(name) for name in wanted}

    def _is_stale(self, name: str) -> bool:
        return self._monotonic() - self._asked_at.get(name, -FRESH_SECONDS) >= FRESH_SECONDS

    async def _refresh(self, name: str) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError) as error:
            log.warning("grant_host_lookup_failed", host=name, error=str(error) or "no answer in time")
            found = []
        now = self._monotonic()
        self._asked_at[name] = now  # also of a failure: not every run is to wait for it again
        addresses = {str(address[0]).partition("%")[0]: now for *_, address in found}
        refused = sorted(address for address in addresses if _is_special(name, address))
        if refused:
            log.warning("grant_address_refused", host=name, addresses=refused)
        self._seen.setdefault(name, {}).update({each: at for each, at in addresses.items() if each not in refused})

    def _addresses(self, name: str) -> list[str]:
        oldest = self._monotonic() - REMEMBERED_SECONDS
        seen = {address: at for address, at in self._seen.get(name, {}).items() if at >= oldest}
        self._seen[name] = seen
        return sorted(seen, key=lambda address: -seen[address])


def _is_special(name: str, address: str) -> bool:
    """Return whether a nameserver must not lead a grant to the address: it could be in the hands of strangers.

    Loopback belongs to `localhost` alone. An operator who means such an address writes the address.
    """
    found = ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None) or found
    if mapped.is_loopback:
        return name.rstrip(".").lower() != "localhost"
    return mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified or mapped in _METADATA
