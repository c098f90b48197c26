"""Webhooks: a JSON document by POST, signed if the channel has a secret."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.features.alerts import messages
from scheduler_service.features.alerts.channels.base import OutgoingAlert
from scheduler_service.features.alerts.channels.web_address import MASK, WebAddress
from scheduler_service.features.alerts.channels.web_channel import WebChannel

SIGNATURE = "X-Scheduler-Signature"
TIMESTAMP = "X-Scheduler-Timestamp"
DELIVERY = "X-Scheduler-Delivery"
MIN_SECRET_LENGTH = 8


def _check_secret(secret: str) -> str:
    if not secret.isprintable() or (len(secret) < MIN_SECRET_LENGTH and secret != MASK):
        raise ValueError(f"write {MIN_SECRET_LENGTH} or more printable characters")
    return secret


Secret = Annotated[str, StringConstraints(max_length=256), AfterValidator(_check_secret)]


class Webhook(WebChannel):
    """A JSON document by POST, signed if a secret is set."""

    synonyms = "http https url post"

    type: Annotated[Literal["webhook"], Field(description="Selects this kind of channel.")]
    url: Annotated[
        WebAddress,
        Field(description="Address that receives each alert by POST, `http` or `https`, up to 2,000 characters."),
    ]
    secret: Annotated[
        Secret | None,
        Field(description="Signs each delivery and is shown masked. If left out or sent masked, it is kept."),
    ] = None

    def body(self, outgoing: OutgoingAlert) -> bytes:
        """Return the document of the alert."""
        return json.dumps(messages.document(outgoing.alert, outgoing.delivery_id, outgoing.base_url)).encode()

    def headers(self, body: bytes, outgoing: OutgoingAlert) -> dict[str, str]:
        """Return the headers of a request with this body, signed for now."""
        return self.signed_headers(body, outgoing.delivery_id, int(time.time()))

    def signed_headers(self, body: bytes, delivery_id: int, timestamp: int) -> dict[str, str]:
        """Return the headers of a request that is sent at `timestamp`.

        The signature is `sha256=` and the HMAC-SHA256, in hexadecimal, of the timestamp, a full stop and the body. A
        receiver that checks it, and that the timestamp is recent, knows the sender and that nobody replays the request.
        """
        headers = {"Content-Type": "application/json", DELIVERY: str(delivery_id), TIMESTAMP: str(timestamp)}
        if self.secret is not None:
            digest = hmac.new(self.secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={digest}"
        return headers

    def masked(self) -> dict[str, Any]:
        """Return the channel with a mask for its secret."""
        return super().masked() | ({} if self.secret is None else {"secret": MASK})

    @classmethod
    def unmasked(cls, sent: Mapping[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any]:
        """Keep the stored secret if none or a mask was sent with the same address: another receiver must not get it."""
        if sent.get("secret") not in {None, MASK}:
            return dict(sent)
        if stored is not None and stored["url"] == sent["url"]:
            return {**sent, "secret": stored["secret"]}
        if sent.get("secret") == MASK:
            raise InvalidInputError(FieldProblem("channel.secret", "this is a mask; send the secret itself"))
        return dict(sent)
