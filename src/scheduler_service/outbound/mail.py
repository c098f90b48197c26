"""Sends mail by SMTP."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from scheduler_service.config import tls
from scheduler_service.config.api_key import LOOPBACK_HOSTS
from scheduler_service.errors import ConfigurationError
from scheduler_service.outbound.web import DELIVERY_SECONDS, NotDeliveredError

THREADS = 4


@dataclass(frozen=True, slots=True)
class MailServer:
    """The SMTP server, and the sender of mails. `is_secure` means TLS from the first byte, otherwise STARTTLS."""

    host: str
    port: int
    is_secure: bool
    user: str | None
    password: str | None
    sender: str


def read_server(url: str, sender: str) -> MailServer:
    """Return the server in SCHEDULER_SMTP_URL.

    Raise `ConfigurationError` without the URL, which can contain a password.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or port == -1:
        raise ConfigurationError(
            "SCHEDULER_SMTP_URL: write smtp://user:password@host:587, or smtps://… for TLS at once"
        )
    is_secure = parts.scheme == "smtps"
    return MailServer(
        host=parts.hostname,
        port=port or (465 if is_secure else 25),
        is_secure=is_secure,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        sender=sender,
    )


class Mailer:
    """Sends mails in separate threads, because the standard library's client blocks."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="mail")

    @property
    def sender(self) -> str:
        """Return the sender's address."""
        return self._server.sender

    async def send(self, message: EmailMessage) -> list[str]:
        """Send a mail and return the refused recipients. Raise `NotDeliveredError` if the server accepted none."""
        connection = _Connection()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                return await loop.run_in_executor(self._threads, self._send, connection, message)
        except TimeoutError:
            raise NotDeliveredError(
                f"the mail server did not accept the message within {DELIVERY_SECONDS:g} s"
            ) from None
        except ConfigurationError as error:
            raise NotDeliveredError(str(error)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotDeliveredError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.cut()

    def close(self) -> None:
        """Release the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, connection: _Connection, message: EmailMessage) -> list[str]:
        server, context = self._server, tls.authorities()
        connection.client = client = (
            smtplib.SMTP_SSL(server.host, server.port, timeout=DELIVERY_SECONDS, context=context)
            if server.is_secure
            else smtplib.SMTP(server.host, server.port, timeout=DELIVERY_SECONDS)
        )
        with contextlib.closing(client):
            self._log_in(client, context)
            refused = client.send_message(message)
            with contextlib.suppress(smtplib.SMTPException, OSError):
                client.quit()
        return sorted(refused)

    def _log_in(self, client: smtplib.SMTP, context: ssl.SSLContext) -> None:
        """Start TLS if the server offers it. Without TLS, log in only to a server on this machine."""
        server = self._server
        client.ehlo_or_helo_if_needed()
        is_secret = server.is_secure or server.host in LOOPBACK_HOSTS
        if not server.is_secure and client.has_extn("starttls"):
            client.starttls(context=context)
            is_secret = True
        if server.user is not None:
            if not is_secret:
                raise smtplib.SMTPException("the server offers no TLS, so the password would be readable in transit")
            client.login(server.user, server.password or "")


class _Connection:
    """The connection that a thread uses, so that another thread can close it."""

    def __init__(self) -> None:
        self.client: smtplib.SMTP | None = None

    def cut(self) -> None:
        """Close the connection of a blocked thread, for example if the server responds too slowly."""
        if self.client is not None and (connection := self.client.sock) is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
