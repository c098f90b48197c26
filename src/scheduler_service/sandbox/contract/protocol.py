"""What the service, the zygote and the supervisors say to each other: JSON messages with a length in front.

The service trusts what it reads here: jobs hold none of these sockets. Code, environment and output of a run go from
the service straight to the job's process; its supervisor hears only the terms.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HEADER = struct.Struct("!I")
_TERMS = struct.Struct("!dqqqq")
_MOST_DESCRIPTORS = 2
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Setup:
    """What a zygote is told once, at its start.

    `lease_seconds` is how long a run may go on without a renewal; None: for as long as it wants. `groups` is where it
    makes cgroups, and empty where it cannot. `private` is what no job may read, though it lies among programs.
    """

    layers: Sequence[str]
    preload: Sequence[str]
    grace_seconds: float
    drain_seconds: float
    ports: Sequence[int]
    also_reachable: Sequence[str]
    uids: Sequence[int]
    python: bool
    lease_seconds: float | None = None
    mountpoint: str = ""
    groups: str = ""
    private: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a supervisor is told: how far its run may go. `directory` is None where it has a file system of its own."""

    wall_seconds: float
    memory_mb: int
    cpu_seconds: int
    processes: int
    disk_mb: int
    directory: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """What one job's process is told to run, once.

    `kind` is `python`, `script` or `program`; `text` is the source of the first two, `argv` the words of the third.
    """

    kind: str
    text: str
    argv: Sequence[str]
    env: dict[str, str]
    network: bool
    terms: Terms


@dataclass(frozen=True, slots=True)
class Report:
    """What a supervisor says at the end: `status` as waitpid(2) gives it, `failure` where the sandbox itself failed.

    `killed` counts the processes that were still running after the main process had ended.
    `began` is whether the user's code may have run before such a failure.
    """

    end: str
    status: int = 0
    cpu_seconds: float = 0.0
    max_rss_kb: int = 0
    message: str | None = None
    failure: str | None = None
    killed: int = 0
    began: bool = False


def pack(message: dict[str, Any]) -> bytes:
    """Write a message as bytes."""
    return _with_length(_encode(message).encode())


def pack_record(record: Setup | Report) -> bytes:
    """Write what a message consists of as bytes."""
    return pack(_fields(record))


def pack_terms(terms: Terms) -> bytes:
    """Write terms as bytes: a supervisor reads them without all that reading JSON takes."""
    numbers = (terms.wall_seconds, terms.memory_mb, terms.cpu_seconds, terms.processes, terms.disk_mb)
    return _with_length(_TERMS.pack(*numbers) + os.fsencode(terms.directory or ""))


def parse_terms(body: bytes) -> Terms:
    """Read the body of a message as terms."""
    wall_seconds, memory_mb, cpu_seconds, processes, disk_mb = _TERMS.unpack_from(body)
    directory = os.fsdecode(body[_TERMS.size :]) or None
    return Terms(wall_seconds, memory_mb, cpu_seconds, processes, disk_mb, directory)


def pack_order(order: Order) -> bytes:
    """Write an order as bytes."""
    return pack(_fields(order) | {"terms": _fields(order.terms)})


def parse_order(body: bytes) -> Order:
    """Read the body of a message as an order."""
    fields = json.loads(body)
    return Order(**fields | {"terms": Terms(**fields["terms"])})


def send(channel: socket.socket, body: bytes, descriptors: Sequence[int]) -> None:
    """Send the body of a message on, with descriptors, waiting as long as it takes."""
    message = _with_length(body)
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


def _with_length(body: bytes) -> bytes:
    return HEADER.pack(len(body)) + body


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def _read(channel: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = channel.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
