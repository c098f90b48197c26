"""The messages between the service, zygotes, supervisors and the processes of jobs: the only place for their bytes.

A message is JSON with its length in front, except for those that are sent in every run. Reading them has to touch
little memory. The terms are packed numbers, the requests of the service to a supervisor are one byte each, and an order
has the form of `marshal`, in its version that all supported interpreters read.

    service    -> zygote      ZygoteSetup once; then supervisor requests (with two sockets) and SWEEP
    zygote     -> service     DONE after the setup and after each sweep
    service    -> supervisor  Terms (with the read end of the output), then CANCEL, FLOOD, RENEW; NEXT after the report
    service    -> job         Order (with the write end of the output, and standard input)
    job        -> supervisor  JobMessage: the listener if the filter asks the supervisor, an error if nothing can begin
    supervisor -> service     RunReport, one for each run unless it is killed; then the bytes of the files it announces

The service trusts what it reads here: user code holds none of these sockets. Code, environment and output of a run go
from the service straight to the job's process. Its supervisor reads only the terms.
"""

from __future__ import annotations

import json
import marshal
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from scheduler_service.sandbox.contract.access import NOTHING, Access, access_fields, parse_access

CANCEL, FLOOD, RENEW, NEXT = b"c", b"f", b"r", b"n"
"""Requests of the service to a supervisor while the job runs, and the one for another run (with its order socket).

Closing the socket means: kill the run at once, and exit.
"""
RULES_WRITTEN = b"w"
"""The supervisor's message to the job's process that the rules of Landlock are complete."""
LISTENER_COPIED = b"t"
"""The supervisor's answer to a `JobMessage` with a `listener`."""

_HEADER = struct.Struct("!I")
_TERMS = struct.Struct("!ddqqqqq")  # in the order of the fields of Terms; the directory follows
_LISTENER = struct.Struct("!xi")  # no JSON begins with a zero
_MAX_DESCRIPTORS = 2  # an order has the output and standard input; nothing has more
_DESCRIPTOR = struct.Struct("=i")
_SPACE = socket.CMSG_SPACE(_MAX_DESCRIPTORS * _DESCRIPTOR.size)
_MARSHAL_VERSION = 2  # the later ones only save space
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class ZygoteSetup:
    """The settings of a zygote, sent once, at its start.

    A run is killed after `lease_seconds` without a renewal; None means that runs need no renewals. `cgroups` is the
    directory for the cgroups of runs, and empty if the host delegates none. `private` lists paths that no job may read,
    even if they lie among programs. `granted` lists the paths that some run may be granted. `users` are those that jobs
    may have, each with its group; `granted_user` is one that several runs may have at once.
    `packages` is a directory of packages that only jobs may import, except for those in `preload`.
    """

    layers: Sequence[str]
    preload: Sequence[str]
    max_grace_seconds: float
    output_wait_seconds: float
    users: Sequence[tuple[int, int]]
    python: bool
    lease_seconds: float | None = None
    mountpoint: str = ""
    cgroups: str = ""
    private: Sequence[str] = ()
    granted: Sequence[str] = ()
    granted_user: tuple[int, int] | None = None
    packages: str = ""


class SupervisorRequest(NamedTuple):
    """The user and group of the job of a new supervisor.

    `tasks` counts the tasks that the user of grants has already, which the zygote may be unable to see; None: unknown.
    """

    uid: int
    gid: int
    tasks: int | None = None


class Terms(NamedTuple):
    """The limits of one run, for its supervisor. `directory` is None if the run has a file system of its own.

    `artifacts_mb` is negative if nothing is collected when the run is over.
    """

    wall_seconds: float
    grace_seconds: float
    memory_mb: int
    cpu_seconds: int
    processes: int
    disk_mb: int
    artifacts_mb: int
    directory: str | None

    @property
    def collects(self) -> bool:
        """Whether the run can leave a result and artifacts."""
        return self.artifacts_mb >= 0


class Order(NamedTuple):
    """The command of one run, for the job's process.

    `kind` is `python`, `script` or `program`; `text` is the source of the first two, `argv` the words of the third.
    `files` are those to begin with, by their names in the working directory.
    """

    kind: str
    text: str
    argv: Sequence[str]
    env: dict[str, str]
    access: Access
    terms: Terms
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class JobMessage:
    """A message of a job's process to its supervisor, sent before the user's code begins.

    `rejection` is the user's mistake, `failure` that of the sandbox or the host: the process then exits. Otherwise the
    message is about the descriptor on which the job's system calls arrive. `listener` is its number, for the supervisor
    to copy, and the process waits for LISTENER_COPIED. Without a number, the descriptor itself comes with the message.
    `access` is that of the order.
    """

    rejection: str | None = None
    failure: str | None = None
    listener: int | None = None
    access: Access = NOTHING


@dataclass(frozen=True, slots=True)
class RunReport:
    """The final message of a supervisor: how the run ended and what it used.

    `status` is the exit code, or the negative number of the signal. `failure` is set if the sandbox itself failed, and
    then `began` says whether the user's code may have run. `killed` counts the processes that were still running after
    the main process had ended. The bytes of the result, if `result_bytes` is set, and of the `artifacts`, each a name
    and a size, follow the report in this order. `left_out` says in sentences which files do not. `refused` is what the
    job was refused first: an address with its port, or a socket file. `stays` says that the supervisor can take a run.
    """

    end: str
    status: int = 0
    cpu_seconds: float = 0.0
    max_rss_kb: int = 0
    message: str | None = None
    failure: str | None = None
    killed: int = 0
    began: bool = False
    refused: str | None = None
    result_bytes: int | None = None
    artifacts: Sequence[tuple[str, int]] = ()
    left_out: Sequence[str] = ()
    stays: bool = False


def pack(record: ZygoteSetup | RunReport) -> bytes:
    """Return a record as a message."""
    return _pack(_fields(record))


def pack_supervisor_request(request: SupervisorRequest) -> bytes:
    """Return the request for a supervisor as a message; its two sockets go along."""
    return _pack(request._asdict())


def parse_supervisor_request(body: bytes) -> SupervisorRequest:
    """Return the request in the body of a message."""
    return SupervisorRequest(**json.loads(body))


def pack_terms(terms: Terms) -> bytes:
    """Return terms as a message: numbers, because a supervisor that parses JSON copies more of the zygote's memory."""
    return _with_length(_TERMS.pack(*terms[:-1]) + os.fsencode(terms.directory or ""))


def parse_terms(body: bytes) -> Terms:
    """Return the terms in the body of a message."""
    fields = (*_TERMS.unpack_from(body), os.fsdecode(body[_TERMS.size :]) or None)
    return Terms(*fields)


def pack_order(order: Order) -> bytes:
    """Return an order as a message."""
    kind, text, argv, env, access, terms, files = order
    fields: Any = (kind, text, argv, env, access_fields(access), tuple(terms), files)
    return _with_length(marshal.dumps(fields, _MARSHAL_VERSION))


def parse_order(body: bytes) -> Order:
    """Return the order in the body of a message."""
    # The service, which the job's process trusts, has written this.
    kind, text, argv, env, access, terms, files = marshal.loads(body)  # noqa: S302
    return Order(kind, text, argv, env, parse_access(access), Terms(*terms), files)


def pack_job_message(message: JobMessage) -> bytes:
    """Return a job's message as a message."""
    return _pack(_fields(message) | {"access": access_fields(message.access)})


def pack_listener(listener: int, access: Access) -> bytes:
    """Return the `JobMessage` with a listener as a message: that of every ordinary job is a number."""
    if access is NOTHING:
        return _HEADER.pack(_LISTENER.size) + _LISTENER.pack(listener)
    return pack_job_message(JobMessage(listener=listener, access=access))


def parse_job_message(body: bytes) -> JobMessage:
    """Return the job's message in the body of a message."""
    if body[0] == 0:
        return JobMessage(listener=_LISTENER.unpack(body)[0])
    fields = json.loads(body)
    return JobMessage(**fields | {"access": parse_access(fields["access"])})


def send(channel: socket.SocketType, message: bytes, descriptors: Sequence[int]) -> None:
    """Send a message with descriptors, and block until all of it is sent."""
    passed = b"".join(map(_DESCRIPTOR.pack, descriptors))
    sent = channel.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
    if sent < len(message):  # not even b"" can be sent to a peer that has read everything and closed its end
        channel.sendall(message[sent:])


def receive(channel: socket.SocketType) -> tuple[bytes, list[int]]:
    """Return the body of the next message and its descriptors, and block until they are there.

    Raises EOFError if the peer has closed its end.
    """
    header, ancillary, _, _ = channel.recvmsg(_HEADER.size, _SPACE)
    descriptors = [number for *_, data in ancillary for (number,) in _DESCRIPTOR.iter_unpack(data)]
    if len(header) < _HEADER.size:
        header += _read(channel, _HEADER.size - len(header))
    return _read(channel, _HEADER.unpack(header)[0]), descriptors


async def receive_json(read: Callable[[int], Awaitable[bytes]]) -> dict[str, Any] | None:
    """Return the next message, or None if the peer is gone. `read` returns so many bytes, or none if the peer is gone.

    For the service, whose event loop must not block. This module does without asyncio, which would make every zygote
    larger, and so every fork slower.
    """
    header = await read(_HEADER.size)
    body = header and await read(_HEADER.unpack(header)[0])
    if not body:
        return None
    message: dict[str, Any] = json.loads(body)
    return message


def _pack(message: dict[str, Any]) -> bytes:
    return _with_length(_encode(message).encode())


def _with_length(body: bytes) -> bytes:
    return _HEADER.pack(len(body)) + body


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def _read(channel: socket.SocketType, size: int) -> bytes:
    """Return exactly `size` bytes. Raise EOFError if the peer closes its end before."""
    first = channel.recv(size)
    if len(first) == size:
        return first
    parts, part = bytearray(first), first
    while len(parts) < size:
        if not part:
            raise EOFError
        part = channel.recv(size - len(parts))
        parts += part
    return bytes(parts)


SWEEP = _pack({})
"""The request to a zygote to kill what dead supervisors have left behind."""
DONE = _pack({"done": True})
"""The answer of a zygote to its setup and to a sweep."""
