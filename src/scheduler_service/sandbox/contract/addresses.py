"""The addresses that are public: reachable by everybody on the Internet.

IPv6 has many spellings for an IPv4 address, and gateways that turn them back: an address is public only if each IPv4
address in it is. Pure and without imports of ours, for the guard of alerts and for runs with a network alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

# RFC 4291, 2.4: the only global unicast space that is handed out.
_HANDED_OUT = IPv6Network("2000::/3")
# Prefixes of 96 bits behind which an IPv4 address stands.
_PREFIXES = (
    IPv6Network("::/96"),  # IPv4-compatible (RFC 4291, 2.5.5.1)
    IPv6Network("::ffff:0:0/96"),  # IPv4-mapped (RFC 4291, 2.5.5.2)
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated (RFC 2765)
    IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052)
)
_SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056
_TEREDO = IPv6Network("2001::/32")  # RFC 4380
_DOCUMENTATION = IPv6Network("3fff::/20")  # RFC 9637, which Python knows from 3.13 on
# Global addresses of the nearest relay or server of a kind, which may be the router of this network. From the
# registries of special-purpose addresses (RFC 6890).
_NEAREST = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.31.196.0/24"),
    IPv4Network("192.52.193.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("192.175.48.0/24"),
    IPv6Network("2001::/23"),
    IPv6Network("2620:4f:8000::/48"),
)
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})  # RFC 5214: the upper half of the interface's id
_LOW_32, _LOW_64 = 2**32 - 1, 2**64 - 1


def is_public(address: str | Address) -> bool:
    """Return whether an address is public, and of a single host. Raise `ValueError` if it is no address."""
    if isinstance(address, str):
        address = ip_address(address.partition("%")[0])
    if any(address in network for network in _NEAREST if network.version == address.version):
        return False
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    embedded = list(embedded_in(address))
    if embedded and not all(map(is_public, embedded)):
        return False
    if any(address in prefix for prefix in _PREFIXES):
        return bool(embedded)
    if address in _SIX_TO_FOUR:  # what it holds decides; newer versions of Python take none of these for global
        return True
    return address in _HANDED_OUT and address not in _DOCUMENTATION and address.is_global


def is_loopback(address: str | Address) -> bool:
    """Return whether an address is this machine, in any notation. Raise `ValueError` if it is no address."""
    if isinstance(address, str):
        address = ip_address(address.partition("%")[0])
    return address.is_loopback or (
        isinstance(address, IPv6Address) and address.ipv4_mapped is not None and address.ipv4_mapped.is_loopback
    )


def embedded_in(address: IPv6Address) -> Iterator[IPv4Address]:
    """Yield each IPv4 address that an IPv6 address holds."""
    number = int(address)
    if any(address in prefix for prefix in _PREFIXES) and number > 1:  # :: and ::1 are addresses of their own
        yield IPv4Address(number & _LOW_32)
    if address in _SIX_TO_FOUR:
        yield IPv4Address(number >> 80 & _LOW_32)
    if address in _TEREDO:
        yield IPv4Address(number >> 64 & _LOW_32)
        yield IPv4Address(number & _LOW_32 ^ _LOW_32)
    if (number & _LOW_64) >> 32 in _ISATAP:
        yield IPv4Address(number & _LOW_32)
