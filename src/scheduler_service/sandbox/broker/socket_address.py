"""The addresses that system calls name, as the kernel reads them; see unix(7), ip(7), ipv6(7)."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import NamedTuple

from scheduler_service.sandbox.broker.job_access import signed

LONGEST = 128  # sizeof(struct sockaddr_storage)
_FAMILY = struct.Struct("=H")
_PORT = struct.Struct("!H")
_LONGEST_UNIX = 110  # sizeof(struct sockaddr_un)
_INET_BYTES, _INET6_BYTES, _INET6_LEAST_BYTES = 16, 28, 24  # RFC 2133 knew no scope id, and the kernel takes both


class Unspecified(NamedTuple):
    """AF_UNSPEC: connect(2) to it ends the association of a socket."""

    raw: bytes


class UnixAddress(NamedTuple):
    """A path, an abstract name (it begins with a zero byte), or no name: bind(2) then picks an abstract one."""

    raw: bytes
    name: bytes

    @property
    def is_path(self) -> bool:
        """Whether it names a file."""
        return bool(self.name) and self.name[0] != 0


class InetAddress(NamedTuple):
    """An IP address, 4 or 16 bytes, and a port."""

    raw: bytes
    host: bytes
    port: int


SocketAddress = Unspecified | UnixAddress | InetAddress


def parse_address(raw: bytes) -> SocketAddress:
    """Return the address in a `struct sockaddr`. Raise the OSError that the kernel would answer if there is none."""
    if len(raw) < _FAMILY.size:
        raise fail(errno.EINVAL)
    match _FAMILY.unpack_from(raw)[0]:
        case socket.AF_UNSPEC:
            return Unspecified(bytes(_INET_BYTES))
        case socket.AF_UNIX if len(raw) <= _LONGEST_UNIX:
            return _parse_unix(raw)
        case socket.AF_INET if len(raw) >= _INET_BYTES:
            return InetAddress(raw[:8] + bytes(8), raw[4:8], _PORT.unpack_from(raw, 2)[0])
        case socket.AF_INET6 if len(raw) >= _INET6_LEAST_BYTES:
            whole = raw[:_INET6_BYTES].ljust(_INET6_BYTES, b"\0")
            return InetAddress(whole, raw[8:24], _PORT.unpack_from(raw, 2)[0])
        case socket.AF_UNIX | socket.AF_INET | socket.AF_INET6:
            raise fail(errno.EINVAL)
    raise fail(errno.EAFNOSUPPORT)


def _parse_unix(raw: bytes) -> UnixAddress:
    name = raw[_FAMILY.size :]
    if name[:1] in {b"", b"\0"}:
        return UnixAddress(raw, name)
    path = name.split(b"\0", 1)[0]
    return UnixAddress(raw[: _FAMILY.size + len(path) + 1], path)


def path_address(path: str) -> bytes:
    """Return the address of a socket file as a `struct sockaddr`."""
    return _FAMILY.pack(socket.AF_UNIX) + os.fsencode(path) + b"\0"


def fail(number: int) -> OSError:
    """Build the error for an error number."""
    return OSError(number, os.strerror(number))


def bounded_size(size: int) -> int:
    """Return the size of an address. Raise OSError if no address can have it."""
    if not 0 <= signed(size) <= LONGEST:
        raise fail(errno.EINVAL)
    return signed(size)
