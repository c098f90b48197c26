"""What the broker refused to a job first, so that the report on its run can name it.

A refusal is no proof of a mistake: programs try one way and take another. So the notes count only if the run fails. A
stream to an address says most, then a socket file, then a datagram: the C library sends some on its own account, to
sort the addresses of a name.
"""

from __future__ import annotations

import socket

from scheduler_service.sandbox.broker.socket_address import InetAddress

ANY_ADDRESS = "the network"
"""Stands for an address if a job was refused the socket itself."""

_ASKED_BY_LIBRARIES = (b"/nscd/", b"/run/systemd/", b"/dev/log")
"""Socket files that the C library tries on its own account; their absence is no failure of the job."""
_IPV6_BYTES = 16
_MAPPED = bytes(10) + b"\xff\xff"


class Refusals:
    """Notes the first refusal of each kind."""

    def __init__(self) -> None:
        self._stream: InetAddress | None = None
        self._file: bytes | None = None
        self._datagram: InetAddress | None = None
        self._socket = False

    def note_address(self, address: InetAddress, kind: int) -> None:
        """Note an address that a socket of this kind may not reach."""
        if kind == socket.SOCK_STREAM:
            self._stream = self._stream or address
        else:
            self._datagram = self._datagram or address

    def forget_other_family(self, address: InetAddress) -> None:
        """Forget a refused address if another of the other IP family is reached at the same port.

        Clients try all addresses of a name, and a grant may cover only some.
        """
        noted = self._stream
        if noted is not None and noted.port == address.port and len(noted.host) != len(address.host):
            self._stream = None

    def note_file(self, path: bytes) -> None:
        """Note a socket file that the job may not connect to."""
        if self._file is None and not any(name in path for name in _ASKED_BY_LIBRARIES):
            self._file = path

    def note_socket(self, kind: int) -> None:
        """Note that the job may have no socket of this kind at all."""
        self._socket = self._socket or kind == socket.SOCK_STREAM

    @property
    def first(self) -> str | None:
        """The refusal that says most: an address with its port, the path of a socket file, or ANY_ADDRESS."""
        if self._stream is not None:
            return _spell(self._stream)
        if self._file is not None:
            return self._file.decode("utf-8", "replace")
        if self._datagram is not None:
            return _spell(self._datagram)
        return ANY_ADDRESS if self._socket else None


def _spell(address: InetAddress) -> str:
    host = address.host.removeprefix(_MAPPED)
    if len(host) == _IPV6_BYTES:
        return f"[{socket.inet_ntop(socket.AF_INET6, host)}]:{address.port}"
    return f"{socket.inet_ntop(socket.AF_INET, host)}:{address.port}"
