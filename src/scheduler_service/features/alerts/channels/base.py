"""What every channel is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from scheduler_service.features.alerts.rules import Alert
from scheduler_service.outbound.address_guard import Reach
from scheduler_service.outbound.mail import Mailer


@dataclass(frozen=True, slots=True)
class OutgoingAlert:
    """An alert to send. `delivery_id` is the same at each try; the links begin with `base_url`."""

    alert: Alert
    delivery_id: int
    base_url: str


@dataclass(frozen=True, slots=True)
class Transports:
    """How this process reaches receivers: the addresses that it may connect to, and the mail server if there is one."""

    reach: Reach
    mailer: Mailer | None


class Channel(BaseModel, ABC):
    """One kind of channel: a pydantic model with a `type: Literal["…"]` field that tells the kinds apart."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # What others call this kind, separated by blanks; an error suggests its `type` instead.
    synonyms: ClassVar[str] = ""

    @abstractmethod
    async def send(self, outgoing: OutgoingAlert, transports: Transports) -> str | None:
        """Send an alert once, and return what went wrong although it arrived.

        Raises `NotDeliveredError` if another try may help, and `RefusedError` if it cannot.
        """

    @abstractmethod
    def obstacle(self, reach: Reach, *, has_mail: bool) -> str | None:
        """Return why a process with these settings cannot deliver; None if nothing is known to be in the way."""

    def masked(self) -> dict[str, Any]:
        """Return the channel as it is shown: without its secrets."""
        return self.model_dump(mode="json")

    @classmethod
    def unmasked(cls, sent: Mapping[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any]:  # noqa: ARG003
        """Return a channel that was sent, with the secrets of the stored one in place of masks.

        `stored` is None if there is no stored channel of this type. Raises `InvalidInputError` for a mask without a
        secret to put in its place.
        """
        return dict(sent)
