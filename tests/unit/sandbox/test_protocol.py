"""The messages between service, zygote, supervisor and job arrive as they were sent."""

from __future__ import annotations

import socket

import pytest

from scheduler_service.sandbox.contract.access import NOTHING, PUBLIC, Access, Destination
from scheduler_service.sandbox.contract.protocol import (
    JobMessage,
    Order,
    Terms,
    pack_job_message,
    pack_order,
    pack_terms,
    parse_job_message,
    parse_order,
    parse_terms,
    receive,
    send,
)

ACCESS = Access(
    read=("/data",),
    write=("/backup",),
    sockets=("/run/x",),
    destinations=(Destination(PUBLIC, 80, 90), Destination("10.0.0.0/8", 443, 443)),
    hosts=(("db", "10.0.0.1"),),
)
TERMS = Terms(0.25, 2.0, 512, 300, 64, 1 << 40, 64, "/tmp/runs/run-1")  # noqa: S108


def transmit(message: bytes, *descriptors: int) -> tuple[bytes, list[int]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, message, descriptors)
        return receive(theirs)


@pytest.mark.parametrize("directory", [None, "/tmp/runs/run-1", "/tmp/n\udcffname/ü"])  # noqa: S108
def test_terms_arrive_as_sent(directory: str | None) -> None:
    terms = Terms(0.25, 2.0, 512, 300, 64, 1 << 40, 64, directory)
    assert parse_terms(transmit(pack_terms(terms))[0]) == terms


@pytest.mark.parametrize("access", [NOTHING, ACCESS])
def test_order_arrives_as_sent(access: Access) -> None:
    order = Order("script", "echo ü\n", ["a", "b"], {"KEY": "value"}, access, TERMS, {"a/b": b"\0b"})
    assert parse_order(transmit(pack_order(order))[0]) == order


def test_job_message_arrives_with_its_descriptor() -> None:
    message = JobMessage(listener=5, access=ACCESS)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        body, (copy,) = transmit(pack_job_message(message), theirs.fileno())
        assert parse_job_message(body) == message
        with socket.socket(fileno=copy) as received:
            received.send(b"x")
        assert ours.recv(1) == b"x"


def test_receive_raises_when_the_peer_is_gone() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        with pytest.raises(EOFError):
            receive(ours)
