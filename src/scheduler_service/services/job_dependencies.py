"""The jobs after which a job runs, as clients write them, and the check that they can be so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.dependencies import (
    MAX_UPSTREAMS,
    AfterMode,
    AwaitedEnd,
    Dependency,
    cycle_through,
    dependencies_in,
)
from scheduler_service.domain.records import Job
from scheduler_service.errors import ConflictError, FieldProblem, InvalidInputError
from scheduler_service.payloads.numbers import Whole
from scheduler_service.services.input_models import DefinitionModel
from scheduler_service.storage import dependencies


class UpstreamJob(DefinitionModel):
    """A job after whose runs another one runs."""

    job: Annotated[int, Field(ge=1, le=2**63 - 1, description="Id of a job of the same owner."), Whole]
    on: Annotated[
        AwaitedEnd,
        Field(
            description="The end that is waited for: `success`, `failure`, or `end`, which is a run that succeeded, "
            "failed or was cancelled. Default `success`."
        ),
    ] = "success"


def _once_each(after: list[UpstreamJob]) -> list[UpstreamJob]:
    ids = [each.job for each in after]
    if twice := next((job_id for job_id in ids if ids.count(job_id) > 1), None):
        raise ValueError(f"job {twice} is named twice; name it once")
    return after


UpstreamJobs = Annotated[
    list[UpstreamJob],
    Field(
        max_length=MAX_UPSTREAMS,
        description=f"Up to {MAX_UPSTREAMS} jobs of the same owner. This job runs when their runs end, beside its own "
        "schedule. Default: none.",
        examples=[[{"job": 3, "on": "success"}]],
    ),
    AfterValidator(_once_each),
]
Mode = Annotated[
    AfterMode,
    Field(
        description="Whether the job waits until `all` jobs of `after` have ended, or runs after `any` of them. "
        "Default `all`."
    ),
]


async def keep_dependencies(connection: AsyncConnection, job: Job) -> None:
    """Store the upstream jobs of a stored job.

    Raise `InvalidInputError` if one does not exist for its owner, or if the job would run after itself.
    """
    wanted = dependencies_in(job.after)
    edges = await dependencies.edges_above(connection, [each.job for each in wanted], lock=True)
    if problems := await unknown_upstreams(connection, wanted, job.owner_id, job):
        raise InvalidInputError(*problems)
    if cycle := cycle_through(job.id, {**edges, job.id: [each.job for each in wanted]}):
        path = " after ".join(map(str, reversed(cycle)))
        message = f"the job would run after itself ({path}); remove one of these from `after`"
        raise InvalidInputError(FieldProblem("after", message, [each.job for each in wanted]))
    await dependencies.replace(connection, job.id, wanted)


async def unknown_upstreams(
    connection: AsyncConnection, wanted: Sequence[Dependency], owner_id: str, job: Job | None = None
) -> list[FieldProblem]:
    """Return a problem for each upstream job that does not exist for its owner. `job` is the one that names them."""
    if not wanted:
        return []
    return unknown_among(wanted, owner_id, await dependencies.owners_of(connection, [each.job for each in wanted]), job)


def unknown_among(
    wanted: Sequence[Dependency], owner_id: str, owners: Mapping[int, str], job: Job | None = None
) -> list[FieldProblem]:
    """Return the same, from the owners of the jobs that exist."""
    message = "there is no such job of the owner; name another one"
    return [
        FieldProblem(f"after.{place}.job", message, each.job)
        for place, each in enumerate(wanted)
        if owners.get(each.job) != owner_id and (job is None or each.job != job.id)
    ]


async def check_unneeded(connection: AsyncConnection, job_ids: Sequence[int]) -> None:
    """Raise `ConflictError` if other jobs run after one that is to be deleted, or to have another owner."""
    if followers := await dependencies.some_after(connection, job_ids):
        listed = ", ".join(map(str, followers.job_ids))
        remedy = "remove it from their `after` first"
        raise ConflictError(f"jobs run after job {followers.upstream_id} ({listed}); {remedy}")
