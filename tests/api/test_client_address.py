"""The address of a client: that of the connection, or what trusted proxies report."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.requests import Request

from scheduler_service.config.loading import load_settings
from scheduler_service.errors import ConfigurationError
from scheduler_service.http.client_address import PEER, client_address, network_of


def address_of(trusted: str, headers: dict[str, str], peer: str = "10.0.0.1", **scope: object) -> str | None:
    settings = load_settings(trusted_proxies=trusted, _env_file=None)
    listed = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "client": (peer, 1) if peer else None, "headers": listed, **scope})
    return client_address(request, settings.trusted_proxies)


@pytest.mark.parametrize(
    ("trusted", "headers", "address"),
    [
        ("", {}, "10.0.0.1"),
        ("", {"X-Forwarded-For": "198.51.100.9"}, "10.0.0.1"),
        ("10.0.0.2", {"X-Forwarded-For": "198.51.100.9"}, "10.0.0.1"),
        ("10.0.0.1", {"X-Forwarded-For": "198.51.100.9"}, "198.51.100.9"),
        ("10.0.0.0/24", {"X-Forwarded-For": "198.51.100.9"}, "198.51.100.9"),
        ("10.0.0.1", {"X-Forwarded-For": "203.0.113.5, 198.51.100.9"}, "198.51.100.9"),
        ("10.0.0.1, 10.0.0.2", {"X-Forwarded-For": "198.51.100.9, 10.0.0.2"}, "198.51.100.9"),
        ("10.0.0.0/8", {"X-Forwarded-For": "10.7.7.7, 10.0.0.2"}, "10.7.7.7"),
        ("10.0.0.1", {"X-Forwarded-For": "198.51.100.9:4711"}, "198.51.100.9"),
        ("10.0.0.1", {"X-Forwarded-For": "2001:db8::7"}, "2001:db8::7"),
        ("10.0.0.1", {"X-Forwarded-For": "not an address"}, "10.0.0.1"),
        ("10.0.0.1", {"X-Forwarded-For": "198.51.100.9, unknown"}, "10.0.0.1"),
        ("10.0.0.1", {"X-Real-IP": "198.51.100.9"}, "10.0.0.1"),
        ("10.0.0.1", {"Forwarded": 'for="[2001:db8::7]:4711";proto=https'}, "2001:db8::7"),
        ("10.0.0.1", {"Forwarded": "for=203.0.113.5, for=198.51.100.9"}, "198.51.100.9"),
        ("10.0.0.1", {}, "10.0.0.1"),
    ],
)
def test_headers_of_trusted_proxies_name_the_client(trusted: str, headers: dict[str, str], address: str) -> None:
    assert address_of(trusted, headers) == address


def test_client_of_a_trusted_unix_socket_is_named() -> None:
    headers = {"X-Forwarded-For": "198.51.100.9"}
    assert address_of("unix", headers, peer="") == "198.51.100.9"
    assert address_of("10.0.0.1", headers, peer="") is None


def test_peer_counts_if_the_server_replaced_the_client() -> None:
    assert address_of("", {}, peer="198.51.100.9", **{PEER: ("10.0.0.1", 1)}) == "10.0.0.1"


def test_ipv4_proxy_is_trusted_on_an_ipv6_socket() -> None:
    assert address_of("10.0.0.1", {"X-Forwarded-For": "198.51.100.9"}, peer="::ffff:10.0.0.1") == "198.51.100.9"


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::1:2", "2001:db8::/64"), ("fe80::1%eth0", "fe80::/64"), (None, "unix")],
)
def test_host_of_an_ipv6_network_counts_as_its_network(address: str | None, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize("value", ["proxy.example", "10.0.0.1/33", "10.0.0.1/8", "*", "10.0.0.1;10.0.0.2"])
def test_wrong_proxy_is_refused_by_name(value: str, tmp_path: Path) -> None:
    (tmp_path / "env").write_text(f"SCHEDULER_TRUSTED_PROXIES={value}")
    with pytest.raises(ConfigurationError, match=r"SCHEDULER_TRUSTED_PROXIES: invalid proxy .* write an address"):
        load_settings(_env_file=tmp_path / "env")
