"""The destinations that a run may connect and send to."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scheduler_service.sandbox.contract.access import PUBLIC, Access, Destination
from scheduler_service.sandbox.contract.addresses import is_public

_DNS_PORT = 53
_MAX_NAMESERVERS = 3  # the C library's resolver uses the first three
_RESOLVER_SETTINGS = Path("/etc/resolv.conf")
_MAPPED = bytes(10) + b"\xff\xff"  # begins an IPv6 address that stands for an IPv4 address
_IPV4_BYTES = 4
_PLATFORM = frozenset({ipaddress.ip_address("168.63.129.16")})  # Azure's metadata, public only by its number


WEB: tuple[Destination, ...] = tuple(Destination(PUBLIC, port, port) for port in (53, 80, 443))
"""The destinations that `limits.network` opens."""


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Allowed destinations.

    `PUBLIC` leaves out the host's own addresses even if they are public. A run that `uses_nameservers` may ask those
    that the host is configured to use, on port 53, wherever they are: no name could be resolved without them.
    """

    destinations: tuple[Destination, ...] = WEB
    uses_nameservers: bool = True

    def allows(self, packed: bytes, port: int) -> bool:
        """Return whether a job may send to `port` of the address `packed` (4 or 16 bytes in network order)."""
        address = _unmap(packed)
        if self.uses_nameservers and port == _DNS_PORT and address in read_nameservers(_RESOLVER_SETTINGS):
            return True
        return any(
            destination.first_port <= port <= destination.last_port and _holds(destination.network, address)
            for destination in self.destinations
        )

    @property
    def ports(self) -> frozenset[int]:
        """Every port that is allowed somewhere."""
        spans = (range(each.first_port, each.last_port + 1) for each in self.destinations)
        return frozenset(port for span in spans for port in span)


def read_nameservers(settings: Path) -> frozenset[bytes]:
    """Return the addresses of the nameservers in a file as resolv.conf(5) describes it, as the C library reads it."""
    with suppress(OSError):
        lines = settings.read_text(encoding="utf-8", errors="replace").splitlines()
        words = [line.split() for line in lines if line.startswith(("nameserver ", "nameserver\t"))]
        named = [packed for _, name, *_ in (word for word in words if len(word) > 1) if (packed := _pack(name))]
        if named:
            return frozenset(named[:_MAX_NAMESERVERS])
    return frozenset({socket.inet_aton("127.0.0.1")})


def _pack(name: str) -> bytes | None:
    with suppress(ValueError):
        return _unmap(ipaddress.ip_address(name).packed)
    return None


def _unmap(packed: bytes) -> bytes:
    return packed.removeprefix(_MAPPED)


def policy_of(access: Access) -> NetworkPolicy | None:
    """Return the policy of a run; None for a run without network."""
    return NetworkPolicy(access.destinations, access.asks_nameservers) if access.destinations else None


@lru_cache(maxsize=1024)
def _holds(network: str, packed: bytes) -> bool:
    return _is_of_others(packed) if network == PUBLIC else ipaddress.ip_address(packed) in ipaddress.ip_network(network)


@lru_cache(maxsize=256)
def _is_of_others(packed: bytes) -> bool:
    """Return whether the address is public, and neither this host's nor its platform's."""
    address = ipaddress.ip_address(packed)
    return is_public(address) and address not in _PLATFORM and not _is_own(packed)


def _is_own(packed: bytes) -> bool:
    """Return whether this host has the address: the kernel then sends from the address itself. Nothing is sent here."""
    family = socket.AF_INET if len(packed) == _IPV4_BYTES else socket.AF_INET6
    name = socket.inet_ntop(family, packed)
    with socket.socket(family, socket.SOCK_DGRAM) as sock, suppress(OSError):
        sock.connect((name, _DNS_PORT))
        return socket.inet_pton(family, sock.getsockname()[0].partition("%")[0]) == packed
    return False
