"""Where alerts go, as rules say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from scheduler_service.config.api_key import VISIBLE
from scheduler_service.errors import FieldProblem, InvalidInputError

# Visible ASCII, less what has a meaning in the headers of a mail.
_ADDRESS = re.compile(r"[^@<>,;:\"()\[\]\\\x00-\x20\x7f-\U0010ffff]+@[^@<>,;:\"()\[\]\\\x00-\x20\x7f-\U0010ffff]+")
HIDDEN = "***"
SHORTEST_SECRET = 8


def _is_web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write an address such as https://example.org/alerts")
    if parts.username or parts.password or not VISIBLE.fullmatch(url):
        raise ValueError("must have no user, password, blanks or characters beyond ASCII in it")
    try:
        port = parts.port
        parts.hostname.encode("idna")
    except ValueError:  # the codec's errors are of this kind, too
        port = 0
    if port == 0:
        raise ValueError("its host or port is none that anybody could have")
    return url


def _is_secret(secret: str) -> str:
    if not secret.isprintable() or (len(secret) < SHORTEST_SECRET and secret != HIDDEN):
        raise ValueError(f"write {SHORTEST_SECRET} characters or more, of those that print")
    return secret


def _is_mail_address(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("write an address such as team@example.org")
    return address


WebAddress = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_is_web_address)]
Secret = Annotated[str, StringConstraints(max_length=256), AfterValidator(_is_secret)]
MailAddress = Annotated[str, StringConstraints(max_length=254), AfterValidator(_is_mail_address)]


class _Channel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Webhook(_Channel):
    """A JSON document by POST; with a secret it is signed."""

    type: Literal["webhook"]
    url: WebAddress
    secret: Annotated[
        Secret | None,
        Field(description="Signs each delivery; never shown again. Left out, or as it is shown, it stays as it was."),
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
    """Return a channel as it may be shown: without what opens it to others."""
    shown: dict[str, object] = channel.model_dump(mode="json")
    if isinstance(channel, Webhook) and channel.secret is not None:
        shown["secret"] = HIDDEN
    if isinstance(channel, Slack):
        shown["url"] = _masked_url(channel.url)
    return shown


def unmasked(channel: Mapping[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a channel with the secrets of the stored one where it was sent as it is shown; `stored` None: none is.

    A secret stays only where the address stays: it must not go to somebody else. Raises `InvalidInputError` where there
    is nothing to put in the place of the mask.
    """
    old = None if stored is None or stored["type"] != channel["type"] else stored
    secret, url = channel.get("secret"), str(channel.get("url"))
    if channel["type"] == "webhook" and secret in {None, HIDDEN}:
        if old is not None and old["url"] == url:
            return {**channel, "secret": old["secret"]}
        if secret == HIDDEN:
            raise InvalidInputError(FieldProblem("channel.secret", "this is a mask; send the secret itself"))
    if channel["type"] == "slack" and url == _masked_url(url):
        if old is None or _masked_url(old["url"]) != url:
            raise InvalidInputError(FieldProblem("channel.url", "this is a mask; send the whole address"))
        return dict(old)
    return dict(channel)


def _masked_url(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{HIDDEN}"
