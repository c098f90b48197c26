"""The guard in front of other machines: rules of users must not reach what only this machine can reach."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Literal

from scheduler_service.sandbox.contract.addresses import is_loopback, is_public

Reach = Literal["public", "loopback", "private"]
"""Which addresses alerts may go to: public ones, also this machine, or any."""


class RefusedError(Exception):
    """Alerts may not go there; trying again does not help before a setting or the rule is changed."""


async def resolve(host: str, port: int, reach: Reach) -> tuple[str, ...]:
    """Return the addresses of a host; raises `RefusedError` if alerts may not go there, OSError if it has none.

    The caller has to connect to one of these addresses, not to the name: that may name another one at the next look
    (DNS rebinding). Of several addresses one that may not be reached is enough to refuse.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
    for address in addresses:
        if not may_reach(address, reach):
            raise RefusedError(f"{host} is {address}, which SCHEDULER_ALERT_REACH={reach} does not let alerts go to")
    return addresses


def may_reach(address: str, reach: Reach) -> bool:
    """Whether alerts may go to an address."""
    return reach == "private" or (reach == "loopback" and is_loopback(address)) or is_public(address)


def refusal_of(host: str, reach: Reach) -> str | None:
    """Return why alerts cannot go to a host; None if they may, or if only its name server knows."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        name = "127.0.0.1"
    address = _numeric(name)
    if address is None or may_reach(address, reach):
        return None
    return f"{host} is an address that SCHEDULER_ALERT_REACH={reach} does not let alerts go to"


def _numeric(host: str) -> str | None:
    """Return the address that a host spells, also as `127.1` or `0x7f000001`, which the system's resolver takes."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        try:
            return socket.inet_ntoa(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return None
