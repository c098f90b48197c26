"""Chains, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.features.chains import examples
from scheduler_service.features.chains.records import ChainLink
from scheduler_service.http.answers import Answer


class ChainLinkOut(Answer):
    """A run of a chain."""

    model_config = ConfigDict(title="ChainLink", json_schema_extra={"examples": [examples.LINK]})

    run_id: Annotated[int, Field(description="Id of the run.")]
    upstream_run_id: Annotated[int | None, Field(description="The run after which it began. Null: it is the first.")]
    job_id: Annotated[int, Field(description="Id of its job.")]
    job_name: Annotated[str, Field(description="Name of its job.")]
    status: Annotated[RunStatus, Field(description="State of the run.")]
    reason: Annotated[Reason | None, Field(description="Why it did not succeed. Null: it did, or has not ended.")]
    message: Annotated[str | None, Field(description="The reason in words.")]
    trigger: Annotated[Trigger, Field(description="What created the run.")]
    queued_at: Annotated[datetime, Field(description="When the run was created.")]
    started_at: Annotated[datetime | None, Field(description="When its latest attempt began.")]
    finished_at: Annotated[datetime | None, Field(description="When it ended.")]

    @classmethod
    def of(cls, link: ChainLink) -> Self:
        """Return a run as it is shown."""
        run = {name: getattr(link.run, name) for name in cls.model_fields if hasattr(link.run, name)}
        about = {"job_name": link.job_name, "upstream_run_id": link.upstream_run_id}
        return cls(run_id=link.run.id, **about, **run)


class ChainOut(Answer):
    """A tree of runs, as a list in which each run comes after its upstream run."""

    model_config = ConfigDict(title="Chain")

    runs: Annotated[list[ChainLinkOut], Field(description="Up to 1,000 runs, the first of the chain first.")]
