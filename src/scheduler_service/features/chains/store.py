"""Queries of chains."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.records import Run
from scheduler_service.features.chains.records import ChainLink
from scheduler_service.storage import dependencies
from scheduler_service.storage.tables import jobs, runs


async def first_of(connection: AsyncConnection, run_id: int) -> int:
    """Return the run with which the chain of a run begins."""
    seen = {run_id}
    while (origin := await dependencies.find_origin(connection, run_id)) is not None:
        if origin.upstream_run_id in seen:  # impossible, as runs begin after runs that have ended
            break
        run_id = origin.upstream_run_id
        seen.add(run_id)
    return run_id


async def links_from(connection: AsyncConnection, first: int, limit: int) -> list[ChainLink]:
    """Return the runs of the chain that begins with a run, up to `limit`. Runs come after their upstream runs.

    Runs whose history has been deleted are left out.
    """
    upstream: dict[int, int | None] = {first: None}
    level: Sequence[int] = [first]
    while level and len(upstream) < limit:
        found = await dependencies.runs_after(connection, level, limit - len(upstream))
        level = [run_id for run_id in found if run_id not in upstream]
        upstream.update({run_id: found[run_id] for run_id in level})
    query = select(runs, jobs.c.name.label("job_name")).join_from(runs, jobs).where(runs.c.id.in_(upstream))
    links = {}
    for row in (await connection.execute(query)).mappings():
        values = dict(row)
        name = values.pop("job_name")
        links[row["id"]] = ChainLink(Run(**values), name, upstream[row["id"]])
    return [links[run_id] for run_id in upstream if run_id in links]
