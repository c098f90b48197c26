"""Which hosts alerts may be sent to."""

from __future__ import annotations

import pytest

from scheduler_service.outbound.address_guard import Reach, RefusedError, resolve


@pytest.mark.parametrize(
    ("host", "reach", "may"),
    [
        ("127.0.0.1", "public", False),
        ("::1", "public", False),
        ("::ffff:127.0.0.1", "public", False),
        ("169.254.169.254", "loopback", False),
        ("10.1.2.3", "loopback", False),
        ("0.0.0.0", "public", False),  # noqa: S104 (not bound to)
        ("fd00::1", "public", False),
        ("64:ff9b::a9fe:a9fe", "public", False),
        ("::127.0.0.1", "loopback", False),
        ("127.0.0.1", "loopback", True),
        ("10.1.2.3", "private", True),
        ("93.184.215.14", "public", True),
    ],
)
async def test_host_resolves_only_if_its_address_may_be_reached(host: str, reach: Reach, may: bool) -> None:
    if may:
        assert await resolve(host, 80, reach) == (host,)
    else:
        with pytest.raises(RefusedError, match="SCHEDULER_ALERT_REACH"):
            await resolve(host, 80, reach)
