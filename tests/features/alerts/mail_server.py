"""A mail server that keeps the mails that it gets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

USER, PASSWORD = "somebody", "hush-hush"


@dataclass
class MailBox:
    """The mails that came in, and the passwords of login attempts."""

    mails: list[str] = field(default_factory=list)
    passwords: list[bytes] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 (the name of the hook)
        self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody@"):
            return "550 not here"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Any, envelope: Any
    ) -> str:
        self.mails.append(envelope.content.decode().replace("\r\n", "\n"))
        return "250 ok"

    def authenticate(self, _server: SMTP, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.passwords.append(given.password)
        # Not handled, so that the library sends the refusal.
        return AuthResult(success=given == LoginPassword(USER.encode(), PASSWORD.encode()), handled=False)


@asynccontextmanager
async def mail_server(
    host: str = "127.0.0.1", at_once: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[tuple[int, MailBox]]:
    """Run a mail server, and yield its port and its box. With `at_once` it speaks TLS from the first byte on."""
    box = MailBox()

    def connected() -> SMTP:
        return SMTP(box, hostname="mail.example.org", authenticator=box.authenticate, **options)

    async with await asyncio.get_running_loop().create_server(connected, host, 0, ssl=at_once) as server:
        yield server.sockets[0].getsockname()[1], box
