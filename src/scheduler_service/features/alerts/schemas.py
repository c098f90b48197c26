"""Alert rules and their deliveries, as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, JsonValue

from scheduler_service.features.alerts import examples
from scheduler_service.features.alerts.channels.registry import read_channel
from scheduler_service.features.alerts.records import AlertRule, Delivery, DeliveryStatus
from scheduler_service.features.alerts.rules import AlertKind
from scheduler_service.features.alerts.service import Preview
from scheduler_service.http.answers import Answer


class AlertOut(Answer):
    """A rule. Secrets are not shown again."""

    model_config = ConfigDict(title="Alert", json_schema_extra={"examples": [examples.ALERT]})

    id: int
    name: str
    on: list[AlertKind]
    channel: dict[str, JsonValue]
    job_id: int | None
    owner_id: str | None
    late_seconds: float
    too_long_seconds: float
    failures: int
    window_seconds: float
    enabled: bool
    created_at: datetime
    updated_at: datetime
    warnings: Annotated[list[str], Field(description="What keeps this server from delivering.")]

    @classmethod
    def of(cls, rule: AlertRule, warnings: Sequence[str]) -> Self:
        """Build the answer from a rule."""
        of_rule = cls.model_fields.keys() - {"on", "channel", "warnings"}
        copied = {name: getattr(rule, name) for name in of_rule}
        channel = read_channel(rule.channel).masked()
        return cls.model_validate({**copied, "on": rule.kinds, "channel": channel, "warnings": list(warnings)})


class AlertList(Answer):
    """All rules."""

    alerts: list[AlertOut]


class AlertPreview(Answer):
    """What people would be told of one kind of thing."""

    kind: AlertKind
    headline: str
    document: Annotated[dict[str, JsonValue], Field(description="What a webhook would get.")]

    @classmethod
    def of(cls, preview: Preview) -> Self:
        """Build the answer from a preview."""
        return cls(kind=preview.kind, headline=preview.headline, document=dict(preview.document))


class AlertPreviews(Answer):
    """What people would be told, one for each kind of thing."""

    previews: list[AlertPreview]


class DeliveryOut(Answer):
    """One alert on its way."""

    model_config = ConfigDict(title="Delivery", json_schema_extra={"examples": [examples.DELIVERY]})

    id: int
    kind: AlertKind
    job_id: int | None
    run_id: int | None
    status: Annotated[DeliveryStatus, Field(description="`failed`: given up.")]
    tries: int
    error: Annotated[str | None, Field(description="Why the latest try did not arrive, or not everywhere.")]
    created_at: datetime
    next_try_at: Annotated[datetime | None, Field(description="While it is pending.")]
    ended_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Build the answer from a delivery."""
        copied = {name: getattr(delivery, name) for name in cls.model_fields if name != "next_try_at"}
        return cls(**copied, next_try_at=delivery.next_try_at if delivery.status == "pending" else None)


class DeliveryList(Answer):
    """The newest deliveries of a rule."""

    deliveries: list[DeliveryOut]
