"""Where alerts go, as rules say it."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

_ADDRESS = re.compile(r"[^@\s<>,;:\"()\[\]\\]+@[^@\s<>,;:\"()\[\]\\]+", re.ASCII)


def _is_web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write an address such as https://example.org/alerts")
    if parts.username or parts.password or not url.isascii() or any(character <= " " for character in url):
        raise ValueError("must have no user, password, blanks or characters beyond ASCII in it")
    return url


def _is_mail_address(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("write an address such as team@example.org")
    return address


WebAddress = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_is_web_address)]
MailAddress = Annotated[str, StringConstraints(max_length=254), AfterValidator(_is_mail_address)]


class _Channel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Webhook(_Channel):
    """A JSON document by POST; with a secret it is signed."""

    type: Literal["webhook"]
    url: WebAddress
    secret: Annotated[
        str | None,
        StringConstraints(min_length=8, max_length=256),
        Field(description="Signs each delivery; never shown again."),
    ] = None


class Slack(_Channel):
    """A message to Slack, or to what understands its incoming webhooks (Mattermost, Discord's `/slack`)."""

    type: Literal["slack"]
    url: Annotated[WebAddress, Field(description="Whoever knows it may write there: shown without its path.")]


class Email(_Channel):
    """A mail, by the server that SCHEDULER_SMTP_URL names."""

    type: Literal["email"]
    to: Annotated[list[MailAddress], Field(min_length=1, max_length=20)]


Channel = Annotated[Webhook | Slack | Email, Field(discriminator="type")]


def masked(channel: Webhook | Slack | Email) -> dict[str, object]:
    """Give a channel as it may be shown: without what opens it to others."""
    shown: dict[str, object] = channel.model_dump(mode="json")
    if isinstance(channel, Webhook) and channel.secret is not None:
        shown["secret"] = HIDDEN
    if isinstance(channel, Slack):
        parts = urlsplit(channel.url)
        shown["url"] = f"{parts.scheme}://{parts.netloc}/{HIDDEN}"
    return shown


HIDDEN = "***"
