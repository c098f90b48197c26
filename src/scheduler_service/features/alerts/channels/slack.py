"""Slack, and other services that understand its incoming webhooks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.features.alerts import messages
from scheduler_service.features.alerts.channels.base import OutgoingAlert
from scheduler_service.features.alerts.channels.web_address import MASK, WebAddress
from scheduler_service.features.alerts.channels.web_channel import WebChannel

# What begins and ends preformatted text, and what looks like it but does not end it.
_FENCE, _BROKEN_FENCE = "```", "` ` `"


class Slack(WebChannel):
    """A message to Slack, or to a service that accepts its incoming webhooks (Mattermost, Discord's `/slack`)."""

    synonyms = "mattermost discord"

    type: Annotated[Literal["slack"], Field(description="Selects this kind of channel.")]
    url: Annotated[
        WebAddress,
        Field(description="Address of the incoming webhook. It is a secret: responses show it without its path."),
    ]

    def body(self, outgoing: OutgoingAlert) -> bytes:
        """Return the message."""
        return json.dumps({"text": _text(outgoing)}).encode()

    def masked(self) -> dict[str, Any]:
        """Return the channel with a mask for the path of its address, which is the secret."""
        return {**super().masked(), "url": _masked_url(self.url)}

    @classmethod
    def unmasked(cls, sent: Mapping[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any]:
        """Keep the stored address if it was sent as it is shown."""
        if sent["url"] != _masked_url(sent["url"]):
            return dict(sent)
        if stored is None or _masked_url(stored["url"]) != sent["url"]:
            raise InvalidInputError(FieldProblem("channel.url", "this is a mask; send the whole address"))
        return dict(stored)


def _text(outgoing: OutgoingAlert) -> str:
    """Return the message. Slack reads no markup in the texts of jobs, since they are escaped."""
    alert = outgoing.alert
    links = messages.links(alert, outgoing.base_url).values()
    parts = [_escaped(alert.headline), _escaped(messages.subject_line(alert)), *links]
    if details := messages.details(alert):
        parts.append(f"{_FENCE}{_escaped(details.replace(_FENCE, _BROKEN_FENCE))}{_FENCE}")
    return "\n".join(filter(None, parts))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _masked_url(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{MASK}"
