"""Requests about the quotas of an owner."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scheduler_service.payloads.numbers import Whole
from scheduler_service.services.input_models import DefinitionModel

_NULL = "Null: the default of the settings. 0: no limit. Default null."


class QuotaDefinition(DefinitionModel):
    """The quotas that an owner is given. They replace all those that it was given before."""

    jobs: Annotated[
        int | None, Field(ge=0, le=10_000_000, description=f"Jobs that the owner may have. {_NULL}"), Whole
    ] = None
    min_interval_seconds: Annotated[
        int | None,
        Field(ge=0, le=86_400, description=f"Shortest time between instants of a schedule, in seconds. {_NULL}"),
        Whole,
    ] = None
    runs_per_minute: Annotated[
        int | None, Field(ge=0, le=10_000_000, description=f"Runs that may be queued in a minute. {_NULL}"), Whole
    ] = None
    concurrent_runs: Annotated[
        int | None,
        Field(ge=0, le=100_000, description=f"Runs that may execute at once; others wait in the queue. {_NULL}"),
        Whole,
    ] = None
    environments: Annotated[
        int | None,
        Field(ge=0, le=100_000, description=f"Different environments of packages that jobs may use. {_NULL}"),
        Whole,
    ] = None
    stored_mb: Annotated[
        int | None,
        Field(ge=0, le=100_000_000, description=f"MB of logs and artifacts at which no further run is queued. {_NULL}"),
        Whole,
    ] = None
    weight: Annotated[
        int | None,
        Field(
            ge=1,
            le=100,
            description="Share of the slots beside other owners with queued runs, 1 to 100. Null: 1. Default null.",
        ),
        Whole,
    ] = None
