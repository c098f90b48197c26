"""Mail, by the server that SCHEDULER_SMTP_URL names."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from scheduler_service.features.alerts import messages
from scheduler_service.features.alerts.channels.base import Channel, OutgoingAlert, Transports
from scheduler_service.outbound.address_guard import Reach, RefusedError

# Visible ASCII, less what has a meaning in the headers of a mail.
_ADDRESS = re.compile(r"[^@<>,;:\"()\[\]\\\x00-\x20\x7f-\U0010ffff]+@[^@<>,;:\"()\[\]\\\x00-\x20\x7f-\U0010ffff]+")
_LONGEST_SUBJECT = 200


def _check_mail_address(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("write an address such as team@example.org")
    return address


MailAddress = Annotated[str, StringConstraints(max_length=254), AfterValidator(_check_mail_address)]


class Email(Channel):
    """A mail, by the server that SCHEDULER_SMTP_URL names."""

    synonyms = "mail smtp e_mail"

    type: Annotated[Literal["email"], Field(description="Selects this kind of channel.")]
    to: Annotated[
        list[MailAddress],
        Field(description="Addresses, 1 to 20, each up to 254 characters.", min_length=1, max_length=20),
    ]

    async def send(self, outgoing: OutgoingAlert, transports: Transports) -> str | None:
        """Send the mail, and return which receivers the mail server refused if it took others."""
        if transports.mailer is None:
            raise RefusedError("no mail server is configured; set SCHEDULER_SMTP_URL")
        refused = await transports.mailer.send(self.message(outgoing, transports.mailer.sender))
        return f"the mail server refused {', '.join(refused)}" if refused else None

    def obstacle(self, reach: Reach, *, has_mail: bool) -> str | None:  # noqa: ARG002 (of web addresses)
        """Return that this process has no mail server, if so."""
        return None if has_mail else "channel: this server has no mail server (SCHEDULER_SMTP_URL): deliveries fail."

    def message(self, outgoing: OutgoingAlert, sender: str) -> EmailMessage:
        """Return the mail. Mail programs recognize a repeated one by its Message-ID, which is that of the delivery."""
        alert = outgoing.alert
        message = EmailMessage()
        message["Subject"] = f"[scheduler] {alert.headline}"[:_LONGEST_SUBJECT]
        message["From"] = sender
        message["To"] = ", ".join(self.to)
        message["Message-ID"] = f"<delivery-{outgoing.delivery_id}@{sender.partition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        links = "\n".join(messages.links(alert, outgoing.base_url).values())
        parts = [alert.headline, messages.subject_line(alert), messages.details(alert), links]
        message.set_content("\n\n".join(filter(None, parts)) + "\n")
        return message
