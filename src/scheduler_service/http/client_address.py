"""Finds the address of a client, also behind trusted proxies.

A proxy writes the address of its client at the end of `X-Forwarded-For` (or `Forwarded`, RFC 7239). Only the part that
trusted proxies wrote can be believed: from the end of the list up to the first address that is not a trusted proxy.
Everybody else can write what they like, so the headers of others are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from scheduler_service.config.values import UNIX_SOCKET, Proxy

PEER = "scheduler_peer"
"""Key of the scope for the address of the connection. uvicorn replaces `client` by what a header says."""
_IPV6_CLIENT_BITS = 64
# A node of RFC 7239: an address with an optional port; an address in brackets before a port.
_FOR = re.compile(r'(?:^|;)\s*for=(?:"?(\[[^\]"]*\])(?::\d+)?"?|"?([^";:]*)(?::\d+)?"?)', re.IGNORECASE)


def peer_address(connection: HTTPConnection) -> str | None:
    """Return the address that the connection comes from, or None if it has none, as those of UNIX sockets."""
    peer = connection.scope.get(PEER, connection.scope.get("client"))
    return peer[0] if peer and peer[0] else None


def client_address(connection: HTTPConnection, trusted: Sequence[Proxy]) -> str | None:
    """Return the address of the client, as trusted proxies report it, or None if it is unknown."""
    address = peer_address(connection)
    if not trusted or not _is_trusted(address, trusted):
        return address
    for hop in reversed(_hops(connection.headers)):
        if (known := _address_in(hop)) is None:
            break
        address = known
        if not _is_trusted(address, trusted):
            break
    return address


def network_of(address: str | None) -> str:
    """Return a name for those who can use an address: itself, or its IPv6 network, of which one host gets many."""
    if address is None:
        return UNIX_SOCKET
    if ":" not in address:
        return address
    try:
        return str(ip_network(f"{address.partition('%')[0]}/{_IPV6_CLIENT_BITS}", strict=False))
    except ValueError:
        return address


def named_by_proxies(headers: Headers) -> Iterator[str]:
    """Yield the client addresses in the headers of proxies, including unknown ones."""
    for name in ("x-forwarded-for", "x-real-ip"):
        for value in headers.getlist(name):
            yield from (client.strip() for client in value.split(","))
    yield from _nodes(headers)


def _hops(headers: Headers) -> list[str]:
    """Return the addresses of one kind of header; proxies write one and may pass the other on from the client."""
    listed = [hop.strip() for value in headers.getlist("x-forwarded-for") for hop in value.split(",")]
    return listed or list(_nodes(headers))


def _nodes(headers: Headers) -> Iterator[str]:
    for value in headers.getlist("forwarded"):
        for hop in value.split(","):
            found = _FOR.search(hop)
            yield (found[1] or found[2]).strip("[]") if found else ""


def _address_in(hop: str) -> str | None:
    """Return the address of a hop without its port, or None if there is no address."""
    bare = hop.partition("]")[0].strip("[") if hop.startswith("[") else hop
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return str(ip_address(bare))
    except ValueError:
        return None


def _is_trusted(address: str | None, trusted: Sequence[Proxy]) -> bool:
    if address is None:
        return UNIX_SOCKET in trusted
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any(not isinstance(each, str) and (mapped or parsed) in each for each in trusted)
