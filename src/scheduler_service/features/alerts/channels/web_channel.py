"""Channels that post to a web address.

Theory of operation. `send` is the same for every web channel: it posts the `body`, with the `headers`, to the `url`, as
far as the addresses are allowed that this process may connect to. A channel defines only what differs.
"""

from __future__ import annotations

from abc import abstractmethod

from scheduler_service.features.alerts.channels.base import Channel, OutgoingAlert, Transports
from scheduler_service.features.alerts.channels.web_address import WebAddress, obstacle_of
from scheduler_service.outbound.address_guard import Reach
from scheduler_service.outbound.web import post


class WebChannel(Channel):
    """A channel whose receiver gets each alert by POST."""

    type: str  # declared here so that it comes before the address
    url: WebAddress

    @abstractmethod
    def body(self, outgoing: OutgoingAlert) -> bytes:
        """Return the JSON document to post."""

    def headers(self, body: bytes, outgoing: OutgoingAlert) -> dict[str, str]:  # noqa: ARG002 (of channels that sign)
        """Return the headers of a request with this body."""
        return {"Content-Type": "application/json"}

    async def send(self, outgoing: OutgoingAlert, transports: Transports) -> str | None:
        """Post the document; see `Channel.send`."""
        body = self.body(outgoing)
        await post(self.url, body, self.headers(body, outgoing), transports.reach)
        return None

    def obstacle(self, reach: Reach, *, has_mail: bool) -> str | None:  # noqa: ARG002 (needs no mail)
        """Return why this process cannot reach the receiver."""
        return obstacle_of(self.url, reach)
