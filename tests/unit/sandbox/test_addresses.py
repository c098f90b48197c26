"""Public addresses, in every notation."""

from __future__ import annotations

import pytest

from scheduler_service.sandbox.contract.addresses import is_loopback, is_public

PUBLIC = [
    "93.184.215.14", "8.8.8.8", "2606:4700::1111", "2a00:1450:4001:800::200e", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]  # fmt: skip
NOT_PUBLIC = [
    "127.0.0.1", "0.1.2.3", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1",
    "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fd00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1", "100::1",
    "5f00::1", "4000::1",
    # answered by the nearest relay of a kind
    "192.0.0.9", "192.0.0.10", "192.88.99.1", "192.31.196.1", "192.175.48.1", "2620:4f:8000::1", "2001:1::1",
    "2001:4:112::1", "::ffff:192.0.0.9",
    # IPv4 within IPv6
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:169.254.169.254", "::127.0.0.1", "::10.1.2.3",
    "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b:1::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::", "2001:0:808:808:0:0:5601:5601", "2606:4700::5efe:10.1.2.3", "2606:4700::200:5efe:127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True), ("10.0.0.1", False)],
)
def test_loopback_is_recognized_in_every_notation(address: str, *, expected: bool) -> None:
    assert is_loopback(address) == expected
