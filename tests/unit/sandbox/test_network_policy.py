"""The destinations of jobs with network."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from scheduler_service.sandbox.contract.access import Destination
from scheduler_service.sandbox.contract.network_policy import NetworkPolicy, read_nameservers

REFUSED = [
    "127.0.0.1",
    "10.0.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
]


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


@pytest.mark.parametrize("address", REFUSED)
def test_policy_refuses_an_address_that_is_not_public(address: str) -> None:
    assert not NetworkPolicy().allows(packed(address), 443)


@pytest.mark.parametrize(
    ("text", "nameservers"),
    [
        ("nameserver 127.0.0.53\nsearch x\nnameserver\t10.0.0.2\n", ["127.0.0.53", "10.0.0.2"]),
        ("nameserver fe80::1%eth0\n", ["fe80::1%eth0"]),
        ("#nameserver 10.0.0.1\n nameserver 10.0.0.2\nnameserver nonsense\nnameserver\n", ["127.0.0.1"]),
        ("".join(f"nameserver 10.0.0.{number}\n" for number in range(1, 5)), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
    ],
)
def test_nameservers_are_those_of_the_c_library(tmp_path: Path, text: str, nameservers: list[str]) -> None:
    settings = tmp_path / "resolv.conf"
    settings.write_text(text)
    assert read_nameservers(settings) == {packed(name) for name in nameservers}


def test_nameserver_is_the_host_itself_when_none_is_configured(tmp_path: Path) -> None:
    assert read_nameservers(tmp_path / "missing") == {packed("127.0.0.1")}


def test_policy_allows_a_private_nameserver_on_its_port_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "resolv.conf"
    settings.write_text("nameserver 127.0.0.53\n")
    monkeypatch.setattr("scheduler_service.sandbox.contract.network_policy._RESOLVER_SETTINGS", settings)
    policy = NetworkPolicy()
    assert policy.allows(packed("127.0.0.53"), 53)
    assert policy.allows(packed("::ffff:127.0.0.53"), 53)
    assert not policy.allows(packed("127.0.0.53"), 80)
    assert not policy.allows(packed("127.0.0.54"), 53)


def test_policy_allows_public_addresses_on_its_ports_only() -> None:
    policy = NetworkPolicy()
    assert [policy.allows(packed("1.1.1.1"), port) for port in (53, 80, 443, 22, 0)] == [True, True, True, False, False]


def test_policy_allows_a_named_network_on_its_ports_only() -> None:
    policy = NetworkPolicy((Destination("127.0.0.42/32", 8080, 8081),), uses_nameservers=False)
    assert policy.allows(packed("127.0.0.42"), 8080)
    assert policy.allows(packed("::ffff:127.0.0.42"), 8081)
    assert not policy.allows(packed("127.0.0.43"), 8080)
    assert not policy.allows(packed("127.0.0.42"), 8082)
    assert not policy.allows(packed("1.1.1.1"), 8080)


def test_policy_without_names_asks_no_nameserver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "resolv.conf"
    settings.write_text("nameserver 127.0.0.53\n")
    monkeypatch.setattr("scheduler_service.sandbox.contract.network_policy._RESOLVER_SETTINGS", settings)
    policy = NetworkPolicy((Destination("10.0.0.0/8", 443, 443),), uses_nameservers=False)
    assert not policy.allows(packed("127.0.0.53"), 53)
