"""What the service, the zygote and the wardens say to each other: JSON messages with a length in front.

The service trusts what it reads here: jobs hold none of these sockets.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HEADER = struct.Struct("!I")
_MOST_DESCRIPTORS = 2


@dataclass(frozen=True, slots=True)
class Setup:
    """What a zygote is told once, at its start; `groups` is where it makes cgroups, and empty where it cannot."""

    layers: Sequence[str]
    preload: Sequence[str]
    grace_seconds: float
    ports: Sequence[int]
    uids: Sequence[int]
    python: bool
    mountpoint: str = ""
    groups: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What one warden is told to run, once. `directory` is None where the run gets a file system of its own.

    `kind` is `python`, `script` or `program`; `text` is the source of the first two, `argv` the words of the third.
    """

    kind: str
    text: str
    argv: Sequence[str]
    env: dict[str, str]
    directory: str | None
    wall_seconds: float
    memory_mb: int
    cpu_seconds: int
    processes: int
    disk_mb: int
    network: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What a warden says at the end: `status` as waitpid(2) gives it, `failure` where the sandbox itself failed."""

    end: str
    status: int = 0
    cpu_seconds: float = 0.0
    max_rss_kb: int = 0
    message: str | None = None
    failure: str | None = None


def pack(message: dict[str, Any]) -> bytes:
    """Write a message as bytes."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return HEADER.pack(len(body)) + body


def parse_order(body: bytes) -> Order:
    """Read the body of a message as an order."""
    return Order(**json.loads(body))


def send(channel: socket.socket, body: bytes, descriptors: Sequence[int]) -> None:
    """Send the body of a message on, with descriptors, waiting as long as it takes."""
    message = HEADER.pack(len(body)) + body
    sent = socket.send_fds(channel, [message], descriptors)
    if sent < len(message):  # even nothing cannot be sent to who has read all and gone
        channel.sendall(message[sent:])


def receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    """Read the body of one message and the descriptors that came with it, waiting as long as it takes.

    Raises EOFError when the other side is gone.
    """
    first, descriptors, _, _ = socket.recv_fds(channel, HEADER.size, _MOST_DESCRIPTORS)
    header = first + _read(channel, HEADER.size - len(first))
    return _read(channel, HEADER.unpack(header)[0]), descriptors


def _read(channel: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = channel.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
