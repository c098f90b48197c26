"""Quotas, as the API shows them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field

from scheduler_service.features.quotas import examples
from scheduler_service.features.quotas.definition import QuotaDefinition
from scheduler_service.features.quotas.records import QuotaUse
from scheduler_service.http.answers import Answer


class QuotaOut(Answer):
    """One quota."""

    used: Annotated[int | None, Field(description="What the owner uses now. Null: this is not counted.")]
    allowed: Annotated[int | None, Field(description="What the owner may use. Null: there is no limit.")]


class QuotaSet(Answer):
    """Every quota of an owner."""

    jobs: Annotated[QuotaOut, Field(description="Jobs.")]
    min_interval_seconds: Annotated[QuotaOut, Field(description="Shortest time between instants of a schedule.")]
    runs_per_minute: Annotated[
        QuotaOut, Field(description="Runs queued in this minute. They are counted only if there is a limit.")
    ]
    concurrent_runs: Annotated[QuotaOut, Field(description="Runs that execute.")]
    environments: Annotated[QuotaOut, Field(description="Different environments of packages that jobs use.")]
    stored_mb: Annotated[
        QuotaOut,
        Field(
            description="Whole MB of logs and artifacts, up to a minute ago. They are counted only if there is a limit."
        ),
    ]


class QuotasOut(Answer):
    """What an owner may use, and what it uses."""

    model_config = ConfigDict(title="Quotas", json_schema_extra={"examples": [examples.QUOTAS]})

    owner_id: Annotated[str, Field(description="The owner. Empty: jobs without an owner.")]
    quotas: Annotated[QuotaSet, Field(description="Each quota with what is used and allowed.")]
    weight: Annotated[int, Field(description="Share of the slots beside other owners with queued runs.")]
    own: Annotated[QuotaDefinition | None, Field(description="What the owner was given. Null: only the defaults hold.")]

    @classmethod
    def of(cls, use: QuotaUse) -> Self:
        """Return the quotas as they are shown."""
        allowed = use.quotas
        return cls(
            owner_id=use.owner_id,
            quotas=QuotaSet(
                jobs=QuotaOut(used=use.jobs, allowed=allowed.jobs),
                min_interval_seconds=QuotaOut(used=None, allowed=allowed.min_interval_seconds),
                runs_per_minute=QuotaOut(
                    used=None if allowed.runs_per_minute is None else use.runs_in_minute,
                    allowed=allowed.runs_per_minute,
                ),
                concurrent_runs=QuotaOut(used=use.running, allowed=allowed.concurrent_runs),
                environments=QuotaOut(used=use.environments, allowed=allowed.environments),
                stored_mb=QuotaOut(used=use.stored_mb, allowed=allowed.stored_mb),
            ),
            weight=allowed.weight,
            own=None if use.own is None else QuotaDefinition(**use.own),
        )


class QuotasList(Answer):
    """The quotas of owners."""

    owners: Annotated[list[QuotasOut], Field(description="Owners that were given quotas, by name.")]
