"""What goes over the lines between service, zygote, supervisor and job."""

from __future__ import annotations

import pytest

from scheduler_service.sandbox.contract.protocol import (
    HEADER,
    Order,
    Terms,
    pack_order,
    pack_terms,
    parse_order,
    parse_terms,
)


@pytest.mark.parametrize("directory", [None, "/tmp/runs/run-1", "/tmp/n\udcffname/ü"])  # noqa: S108
def test_terms_and_orders_arrive_as_they_were_sent(directory: str | None) -> None:
    terms = Terms(0.25, 512, 300, 64, 1 << 40, directory)
    order = Order("script", "echo ü\n", ["a", "b"], {"KEY": "value"}, network=True, terms=terms)
    assert parse_terms(pack_terms(terms)[HEADER.size :]) == terms
    assert parse_order(pack_order(order)[HEADER.size :]) == order
