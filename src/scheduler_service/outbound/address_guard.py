"""Prevents users' alert rules from reaching addresses that only this machine can reach.

Theory of operation. `resolve` looks a name up once and checks every address. The caller connects to one of the returned
addresses, not to the name. A second lookup could return another address (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Literal

from scheduler_service.sandbox.contract.addresses import is_loopback, is_public

Reach = Literal["public", "loopback", "private"]
"""The addresses that alerts may be sent to: public ones, also this machine, or any."""


class RefusedError(Exception):
    """Alerts may not be sent to this address. A retry cannot help until a setting or the rule changes."""


async def resolve(host: str, port: int, reach: Reach) -> tuple[str, ...]:
    """Return the addresses of a host. Raise `RefusedError` if one of them is not allowed, OSError if there are none.

    The caller must connect to one of these addresses instead of the name.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
    for address in addresses:
        if not may_reach(address, reach):
            raise RefusedError(f"{host} is {address}, which SCHEDULER_ALERT_REACH={reach} does not allow")
    return addresses


def may_reach(address: str, reach: Reach) -> bool:
    """Return whether alerts may be sent to an address."""
    return reach == "private" or (reach == "loopback" and is_loopback(address)) or is_public(address)


def refusal_of(host: str, reach: Reach) -> str | None:
    """Return why alerts cannot be sent to a host, or None if they may, or if that needs a name lookup."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        name = "127.0.0.1"
    address = _numeric(name)
    if address is None or may_reach(address, reach):
        return None
    return f"{host} is not allowed by SCHEDULER_ALERT_REACH={reach}"


def _numeric(host: str) -> str | None:
    """Return the address that a host spells, or None. The resolver also accepts `127.1` and `0x7f000001`."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        try:
            return socket.inet_ntoa(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return None
