"""The definition of an alert rule, as clients send it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, JsonValue, ValidationInfo, field_validator

from scheduler_service.features.alerts.channels.registry import AnyChannel
from scheduler_service.features.alerts.records import AlertRule
from scheduler_service.features.alerts.rules import AlertKind
from scheduler_service.services.input_models import DefinitionModel, Name, Owner
from scheduler_service.services.inspection import Inspection, inspect

_MAX_SECONDS = 604_800
_Kind = Annotated[AlertKind, Field(strict=False)]  # JSON has text, no enums


class AlertDefinition(DefinitionModel):
    """What to alert about, and by which channel. Without `job_id`: all jobs. Without `owner_id`: jobs of all owners."""

    name: Annotated[Name, Field(description="Name of the rule, 1 to 200 characters.")]
    on: Annotated[
        list[_Kind],
        Field(
            min_length=1,
            max_length=20,
            description="Kinds of alert to send: `failure` (a run failed), `flapping` (a job failed several times), "
            "`recovery` (a job succeeded after a failure), `missed` (instants were missed), `late` (a run "
            "started late or still waits), `too_long` (a run takes long), `worker_unfit` (a worker cannot "
            "take runs).",
            examples=[["failure"]],
        ),
    ]
    channel: Annotated[AnyChannel, Field(description="Where to send alerts. `type` selects the kind of channel.")]
    job_id: Annotated[
        int | None,
        Field(description="Only alerts of the job with this id. Null: all jobs. Default null.", ge=1, le=2**63 - 1),
    ] = None
    owner_id: Annotated[
        Owner | None,
        Field(description="Only alerts of jobs of this owner, up to 128 characters. Null: all owners. Default null."),
    ] = None
    late_seconds: Annotated[
        float,
        Field(
            ge=1,
            le=_MAX_SECONDS,
            description="A run is `late` if it starts, or still waits, this long after its instant. In seconds, 1 to "
            "604,800 (7 days). Default 60.",
        ),
    ] = 60
    too_long_seconds: Annotated[
        float,
        Field(
            ge=1,
            le=_MAX_SECONDS,
            description="A run is `too_long` if it takes longer than this. In seconds, 1 to 604,800 (7 days). Default "
            "3,600 (1 hour).",
        ),
    ] = 3600
    failures: Annotated[
        int,
        Field(
            ge=2,
            le=1000,
            description="A job is `flapping` after this many failed runs within `window_seconds`, 2 to 1,000. "
            "Default 3.",
        ),
    ] = 3
    window_seconds: Annotated[
        float,
        Field(
            ge=60,
            le=_MAX_SECONDS,
            description="Time in which failures count for `flapping`. In seconds, 60 to 604,800 (7 days). "
            "Default 3,600 (1 hour).",
        ),
    ] = 3600
    enabled: Annotated[bool, Field(description="Whether the rule sends alerts. Default true.")] = True

    @field_validator("on")
    @classmethod
    def _refuse_test(cls, kinds: list[AlertKind]) -> list[AlertKind]:
        if AlertKind.TEST in kinds:
            raise ValueError("tests are sent by POST /alerts/{id}/test, not by rules; leave it out")
        return sorted(set(kinds))

    @field_validator("job_id", "owner_id")
    @classmethod
    def _refuse_job_for_workers(cls, of_jobs: int | str | None, info: ValidationInfo) -> int | str | None:
        if of_jobs is not None and AlertKind.WORKER_UNFIT in info.data.get("on", ()):
            raise ValueError("worker_unfit is about workers, not jobs; leave this out, or create a separate rule")
        return of_jobs

    def columns(self) -> dict[str, Any]:
        """Return the columns of the rule."""
        columns = self.model_dump(mode="json")
        return {"kinds": columns.pop("on"), **columns}


_STAND_INS: Mapping[str, JsonValue] = {
    "name": "a rule",
    "on": ["failure"],
    "channel": {"type": "email", "to": ["team@example.org"]},
}
"""Stand-ins for required fields, so that the others are checked if these are missing."""


def inspect_rule(document: Mapping[str, JsonValue], further: int = 0) -> Inspection[AlertDefinition]:
    """Check a document as a rule, and return everything that is wrong with it."""
    return inspect(AlertDefinition, document, _STAND_INS, further)


def changed(rule: AlertRule, changes: Mapping[str, JsonValue]) -> dict[str, Any]:
    """Return the document of a rule with changes: null resets a field to its default, a channel is replaced whole."""
    names = AlertDefinition.model_fields.keys() - {"on"}
    document: dict[str, Any] = {"on": rule.kinds, **{name: getattr(rule, name) for name in names}}
    for name, value in changes.items():
        if value is None and name in document:
            del document[name]
        else:
            document[name] = value
    return document
