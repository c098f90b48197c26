"""The service's side of one supervisor: its order, the requests while the job runs, and the report."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from scheduler_service.sandbox.contract.protocol import NEXT, Order, RunReport, pack_order, pack_terms, receive_json
from scheduler_service.sandbox.contract.spec import SandboxError
from scheduler_service.sandbox.kernel.identity import User


class SupervisorClient:
    """The sockets to one supervisor and to the job's process below it. Good for one run, or until `begin_next`."""

    def __init__(self, channel: socket.socket, orders: socket.socket, user: User, zygote: socket.socket) -> None:
        """`user` is that of the job, and `zygote` the control socket of the zygote that forked the supervisor."""
        self.zygote = zygote
        self._channel = channel
        self._orders = orders
        self.user = user
        self.stays = False
        """Whether it takes another run, as its report says."""

    async def order(self, order: Order, descriptors: Sequence[int], output: int) -> None:
        """Send `order` to be run. Raise `SandboxError` if the supervisor is gone, OSError if the host lacks something.

        The job gets `descriptors`. Its supervisor gets `output`, the read end of the run's output, to notice when
        nobody can write any more.
        """
        message = pack_order(order)
        may_run = False
        with suppress(ConnectionError):  # if the job's process is gone, the supervisor reports why
            sent = socket.send_fds(self._orders, [message], descriptors)
            if sent < len(message):
                await asyncio.get_running_loop().sock_sendall(self._orders, message[sent:])
            may_run = True
        try:
            socket.send_fds(self._channel, [pack_terms(order.terms)], [output])
        except ConnectionError as error:
            raise SandboxError("the supervisor of the run was killed", began=may_run) from error

    @property
    def is_unusable(self) -> bool:
        """Whether the supervisor is dead or could not prepare a run. A usable one sends nothing before its order."""
        try:
            self._channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def begin_next(self) -> None:
        """Ask a supervisor that has reported, and stays, to prepare another run. Raise OSError if it is gone."""
        orders, jobs = socket.socketpair()
        orders.setblocking(False)  # noqa: FBT003
        self._orders.close()
        self._orders = orders
        with jobs:
            socket.send_fds(self._channel, [NEXT], [jobs.fileno()])

    def request(self, request: bytes) -> None:
        """Send CANCEL, FLOOD or RENEW; see `protocol`. A supervisor that is gone needs no request."""
        with suppress(OSError):
            self._channel.send(request)

    async def report(self) -> RunReport | None:
        """Wait for the report; None if the supervisor died without one."""
        message = await receive_message(self._channel)
        report = None if message is None else RunReport(**message)
        self.stays = report is not None and report.stays
        return report

    async def receive(self, size: int) -> bytes:
        """Return exactly so many bytes of what follows the report, or none if the supervisor died."""
        return await _read(self._channel, size)

    async def dismiss(self) -> None:
        """Close the sockets, and wait until the supervisor has killed its run, removed its files and exited."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
            while await asyncio.get_running_loop().sock_recv(self._channel, 4096):
                pass
        self._channel.close()
        self._orders.close()


async def receive_message(channel: socket.socket) -> dict[str, Any] | None:
    """Return the next message; None if the other side is gone."""
    return await receive_json(partial(_read, channel))


async def _read(channel: socket.socket, size: int) -> bytes:
    """Return exactly `size` bytes, or none if the other side is gone."""
    parts = bytearray()
    with suppress(ConnectionError):
        while len(parts) < size and (part := await asyncio.get_running_loop().sock_recv(channel, size - len(parts))):
            parts += part
    return bytes(parts) if len(parts) == size else b""
