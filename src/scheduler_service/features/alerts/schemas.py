"""Alert rules and their deliveries, as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, JsonValue

from scheduler_service.features.alerts import examples
from scheduler_service.features.alerts.channels.registry import read_channel
from scheduler_service.features.alerts.definition import AlertDefinition
from scheduler_service.features.alerts.records import AlertRule, Delivery, DeliveryStatus
from scheduler_service.features.alerts.rules import AlertKind
from scheduler_service.features.alerts.service import Preview
from scheduler_service.http.answers import Answer, Identified, with_all_fields


class AlertOut(AlertDefinition, Identified):
    """An alert rule. Its secrets are masked.

    Only the fields that a definition does not have are listed here.
    """

    model_config = ConfigDict(
        title="Alert", strict=False, extra="ignore", json_schema_extra=with_all_fields(examples.ALERT)
    )

    channel: Annotated[  # type: ignore[assignment] # masked
        dict[str, JsonValue], Field(description="Where alerts are sent, without secrets.")
    ]
    created_at: Annotated[datetime, Field(description="When the rule was created.")]
    updated_at: Annotated[datetime, Field(description="When the rule was last changed.")]
    warnings: Annotated[
        list[str], Field(description="Why this server cannot deliver to the channel, in English. Empty: it can.")
    ]

    @classmethod
    def of(cls, rule: AlertRule, warnings: Sequence[str]) -> Self:
        """Build the answer from a rule."""
        of_rule = cls.model_fields.keys() - {"on", "channel", "warnings"}
        copied = {name: getattr(rule, name) for name in of_rule}
        channel = read_channel(rule.channel).masked()
        return cls.model_validate({**copied, "on": rule.kinds, "channel": channel, "warnings": list(warnings)})


class AlertList(Answer):
    """All alert rules, the oldest first."""

    alerts: Annotated[list[AlertOut], Field(description="The rules, oldest first.")]


class AlertPreview(Answer):
    """An alert of one kind, with sample values."""

    kind: Annotated[AlertKind, Field(description="Kind of alert.")]
    headline: Annotated[str, Field(description="The alert in one line.")]
    document: Annotated[dict[str, JsonValue], Field(description="The JSON document that a webhook receives.")]

    @classmethod
    def of(cls, preview: Preview) -> Self:
        """Build the answer from a preview."""
        return cls(kind=preview.kind, headline=preview.headline, document=dict(preview.document))


class AlertPreviews(Answer):
    """One sample alert for each kind of the rule."""

    previews: Annotated[list[AlertPreview], Field(description="One alert of each kind.")]


class DeliveryOut(Answer):
    """One alert that a rule sends."""

    model_config = ConfigDict(title="Delivery", json_schema_extra={"examples": [examples.DELIVERY]})

    id: Annotated[int, Field(description="Identifier of the delivery.")]
    kind: Annotated[AlertKind, Field(description="Kind of alert.")]
    job_id: Annotated[int | None, Field(description="Identifier of the job. Null: the alert is not about a job.")]
    run_id: Annotated[int | None, Field(description="Identifier of the run. Null: the alert is not about a run.")]
    status: Annotated[
        DeliveryStatus, Field(description="`pending` (will be tried again), `delivered` or `failed` (given up).")
    ]
    tries: Annotated[int, Field(description="Number of tries so far.")]
    error: Annotated[
        str | None, Field(description="Why the latest try failed, or reached only some receivers. Null: no error.")
    ]
    created_at: Annotated[datetime, Field(description="When the alert was raised.")]
    next_try_at: Annotated[datetime | None, Field(description="When it is tried next. Null: it has ended.")]
    ended_at: Annotated[datetime | None, Field(description="When it was delivered or given up. Null: pending.")]

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Build the answer from a delivery."""
        copied = {name: getattr(delivery, name) for name in cls.model_fields if name != "next_try_at"}
        return cls(**copied, next_try_at=delivery.next_try_at if delivery.status == "pending" else None)


class DeliveryList(Answer):
    """The newest deliveries of a rule."""

    deliveries: Annotated[list[DeliveryOut], Field(description="The deliveries, newest first, up to 50.")]
