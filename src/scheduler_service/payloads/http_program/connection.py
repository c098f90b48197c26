"""Opens the connection of a request, and explains why it cannot be opened."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from scheduler_service.payloads.http_program.failure import RequestFailedError
from scheduler_service.payloads.http_program.target import Target

REMEDY = (
    "set limits.network to true, which opens ports 80 and 443 of public addresses, "
    "or name a grant whose connect covers it"
)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM)
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)
_MILLISECOND = 1000
_LOOPBACK = ("127.", "::1")
_UNKNOWN_ISSUER = (18, 19, 20, 21)  # X509_V_ERR_…: self-signed, or no issuer that is trusted; see openssl-verify(1)

Addresses = list[tuple[Any, ...]]


@dataclass(slots=True)
class Timing:
    """The seconds that each step took; None if the request did not come to it."""

    dns_seconds: float | None = None
    connect_seconds: float | None = None
    tls_seconds: float | None = None
    first_byte_seconds: float | None = None
    total_seconds: float | None = None

    def rounded(self) -> dict[str, float | None]:
        """Return the steps with microseconds, which is more than a network repeats."""
        return {name: None if value is None else round(value, 6) for name, value in asdict(self).items()}


class Steps:
    """The steps of a request: the current one for the message of a timeout, and how long each took."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.timing = Timing()
        self.current = "starting"
        self.say = say
        self._started_at = self._began_at = time.monotonic()

    def begin(self, name: str) -> None:
        """Note what the request does from now on."""
        self.current, self._began_at = name, time.monotonic()

    def end(self, field: str, text: str) -> None:
        """Note how long the step took, and print it."""
        seconds = time.monotonic() - self._began_at
        setattr(self.timing, field, seconds)
        self.say(f"{text} in {seconds * _MILLISECOND:.1f} ms")

    def finish(self, text: str) -> None:
        """Note how long the request has taken, redirects included, and print it."""
        self.timing.total_seconds = time.monotonic() - self._started_at
        self.say(f"{text}, after {self.timing.total_seconds * _MILLISECOND:.1f} ms in all")


def open_connection(target: Target, steps: Steps, seconds_left: Callable[[], float]) -> http.client.HTTPConnection:
    """Connect to a server, with TLS for https. Raise `RequestFailedError` with the step and the reason."""
    steps.begin(f"resolving {target.host}")
    addresses = _resolve(target)
    steps.end("dns_seconds", f"resolved {target.host} to {', '.join(_spell(each) for each in addresses)}")
    steps.begin(f"connecting to {target.server}")
    sock = _connect(target, addresses, seconds_left)
    steps.end("connect_seconds", f"connected to {sock.getpeername()[0]} port {target.port}")
    kind: type[http.client.HTTPConnection] = http.client.HTTPConnection
    if target.scheme == "https":
        kind = http.client.HTTPSConnection
        steps.begin(f"agreeing on TLS with {target.server}")
        sock = _start_tls(target, sock)
        steps.end("tls_seconds", f"agreed on {sock.version()}")
    connection = kind(target.host, target.port)
    connection.sock = sock
    return connection


def _resolve(target: Target) -> Addresses:
    """Return the addresses of a host.

    The C library waits for nameservers where no signal reaches it, so a thread asks, and the timer ends the wait.
    """
    found: Addresses = []
    errors: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            errors.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join()
    if not found:
        raise RequestFailedError(f"the name {target.host} cannot be resolved: {_explain_resolver(errors[0])}")
    return found


def _explain_resolver(error: OSError | UnicodeError) -> str:
    if not isinstance(error, OSError):
        return "it is not a host name"
    if error.errno == socket.EAI_AGAIN:
        return f"{error.strerror}; a job without network can resolve no name: {REMEDY}"
    return str(error.strerror)


def _connect(target: Target, addresses: Addresses, seconds_left: Callable[[], float]) -> socket.socket:
    """Connect to the first address that answers. One that does not may use only its share of the time."""
    errors: list[OSError] = []
    for left, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:
            errors.append(error)
            continue
        try:
            sock.settimeout(max(0.001, seconds_left() / left))
            sock.connect(address)
        except OSError as error:
            errors.append(error)
            sock.close()
        else:
            sock.settimeout(None)
            return sock
    raise RequestFailedError(_explain(target, errors))


def _explain(target: Target, errors: list[OSError]) -> str:
    # An IPv6 address without a route says nothing if the server has been asked at another one.
    told = next((error for error in errors if error.errno not in _NO_ROUTE), errors[0])
    if told.errno in _NOT_ALLOWED:
        return f"the network is not granted: the sandbox refused a connection to {target.server}; {REMEDY}"
    if told.errno in _NO_ROUTE:
        return f"there is no route to {target.server}: {told.strerror}; a job without network reaches nothing: {REMEDY}"
    if isinstance(told, ConnectionRefusedError):
        return f"{target.server} refused the connection; {_explain_refusal(target)}"
    if isinstance(told, TimeoutError):
        return f"{target.server} did not answer in time, while connecting"
    return f"no connection to {target.server}: {told.strerror or told}"


def _explain_refusal(target: Target) -> str:
    if target.host == "localhost" or target.host.startswith(_LOOPBACK):
        return (
            "nothing listens there. A run without network has a loopback of its own; a grant whose connect covers "
            f"{target.server} opens that of the host"
        )
    return "nothing listens there"


def _start_tls(target: Target, sock: socket.socket) -> ssl.SSLSocket:
    try:
        return ssl.create_default_context().wrap_socket(sock, server_hostname=target.host)
    except ssl.SSLCertVerificationError as error:
        message = f"the TLS certificate of {target.server} is refused: {error.verify_message.rstrip('.')}"
        if error.verify_code in _UNKNOWN_ISSUER:
            message += "; to trust an authority of your own, set env.SSL_CERT_FILE to its file, which a grant must open"
        raise RequestFailedError(message) from None
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise RequestFailedError(
            f"no TLS connection to {target.server}: {reason}; check that this port speaks https"
        ) from None
    except OSError as error:
        raise RequestFailedError(
            f"{target.server} closed the connection while agreeing on TLS: {error.strerror or error}"
        ) from None


def _spell(found: tuple[Any, ...]) -> str:
    return str(found[4][0])
