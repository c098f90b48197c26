"""The guard in front of other machines: rules of users must not reach what only this machine can reach."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Literal

Reach = Literal["public", "loopback", "private"]
"""Which addresses alerts may go to: public ones, also this machine, or any."""


class RefusedError(Exception):
    """Alerts may not go there; trying again does not help before a setting or the rule is changed."""


async def resolve(host: str, port: int, reach: Reach) -> str:
    """Give an address of a host; raises `RefusedError` where alerts may not go, OSError where there is none.

    The caller has to connect to this address, not to the name: that may name another one at the next look (DNS
    rebinding). Of several addresses one that may not be reached is enough to refuse.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(address[0]) for *_, address in found]
    for address in addresses:
        if not _may_reach(ipaddress.ip_address(address.partition("%")[0]), reach):
            raise RefusedError(f"{host} is {address}, which SCHEDULER_ALERT_REACH={reach} does not let alerts go to")
    return addresses[0]


def _may_reach(address: ipaddress.IPv4Address | ipaddress.IPv6Address, reach: Reach) -> bool:
    mapped = getattr(address, "ipv4_mapped", None) or address
    if reach == "private" or (reach == "loopback" and mapped.is_loopback):
        return True
    return bool(mapped.is_global) and not mapped.is_multicast
