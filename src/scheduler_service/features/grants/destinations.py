"""Destinations as a grant writes them: `db.internal:5432`, `10.20.0.0/16:443`, `[fd00::1]:80-90`, `public:443`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from scheduler_service.sandbox.contract.access import PUBLIC, Destination

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?")
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_LAST_PORT = 65535
_IPV4_BYTES = 4
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")  # the kernel connects to the IPv4 address behind it
_FORM = "write host:port, network/bits:port or public:port, with ports as 443 or 8000-8010"


@dataclass(frozen=True, slots=True)
class NamedDestination:
    """A destination whose `host` is `public`, a network in CIDR form, or a name that the service resolves."""

    host: str
    first_port: int
    last_port: int

    @property
    def is_name(self) -> bool:
        """Whether the host has to be resolved."""
        return self.host != PUBLIC and _as_network(self.host) is None

    def at(self, network: str) -> Destination:
        """Return the same ports of a network, or of an address of the host."""
        return Destination(network, self.first_port, self.last_port)


def parse_destination(text: str) -> NamedDestination:
    """Read a destination. Raise ValueError that says what is wrong and what to write."""
    host, separator, ports = text.strip().rpartition(":")
    if not separator or not host:
        raise ValueError(f"{text!r} has no port; {_FORM}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: write an IPv6 address in brackets, such as [fd00::1]:443")
    first, last = _parse_ports(text, ports)
    network = _as_network(host)
    if network is None and host != PUBLIC and not (_HOST.fullmatch(host) and not _looks_like_address(host)):
        raise ValueError(f"{text!r}: {host!r} is not a host name, address or network; {_FORM}")
    return NamedDestination(host if network is None else network, first, last)


def _parse_ports(text: str, ports: str) -> tuple[int, int]:
    match = _PORTS.fullmatch(ports)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last <= _LAST_PORT:
        raise ValueError(f"{text!r}: {ports!r} is neither a port from 1 to {_LAST_PORT} nor a range; {_FORM}")
    return first, last


def _as_network(host: str) -> str | None:
    try:
        network = ipaddress.ip_network(host, strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        packed = network.network_address.packed[-_IPV4_BYTES:]
        return str(ipaddress.IPv4Network((packed, network.prefixlen - _MAPPED.prefixlen)))
    return str(network)


def _looks_like_address(host: str) -> bool:
    return all(part.isdigit() for part in host.rstrip(".").split("."))
