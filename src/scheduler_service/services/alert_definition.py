"""What a client says of an alert rule."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from scheduler_service.alerts.channels import Channel
from scheduler_service.domain.alerting import AlertKind
from scheduler_service.services.definition import Input, Name, Owner

_MOST_SECONDS = 604_800


class AlertDefinition(Input):
    """Whom to tell of what. Without `job_id` it is for every job, without `owner_id` for those of every owner."""

    name: Name
    on: Annotated[
        list[AlertKind], Field(min_length=1, max_length=20, description="What to tell of.", examples=[["failure"]])
    ]
    channel: Channel
    job_id: Annotated[int | None, Field(ge=1, le=2**63 - 1)] = None
    owner_id: Owner | None = None
    late_seconds: Annotated[
        float, Field(ge=1, le=_MOST_SECONDS, description="`late`: begun, or still waiting, so long after it was due.")
    ] = 60
    too_long_seconds: Annotated[
        float, Field(ge=1, le=_MOST_SECONDS, description="`too_long`: running for so long.")
    ] = 3600
    failures: Annotated[int, Field(ge=2, le=1000, description="`flapping`: so many failures …")] = 3
    window_seconds: Annotated[float, Field(ge=60, le=_MOST_SECONDS, description="… within this time.")] = 3600
    enabled: bool = True

    @field_validator("on")
    @classmethod
    def _is_no_test(cls, kinds: list[AlertKind]) -> list[AlertKind]:
        if AlertKind.TEST in kinds:
            raise ValueError("a test is sent by its own call, POST /alerts/{id}/test")
        return sorted(set(kinds))

    def columns(self) -> dict[str, Any]:
        """Give it as storage keeps it."""
        columns = self.model_dump(mode="json")
        return {"kinds": columns.pop("on"), **columns}
