"""The table of jobs that `scheduler jobs list` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scheduler_service.console import render
from scheduler_service.console.client import Client


def show_jobs(client: Client, jobs: Sequence[dict[str, Any]], *, wide: bool) -> None:
    """Print jobs as a table. Jobs that others run after are named, if necessary by further requests."""
    columns = ("ID", "NAME", "STATUS", "SCHEDULE", "ZONE", "NEXT RUN", "LAST", "TAGS")
    names = _upstream_names(client, jobs)
    rows = [_row(job, names, wide=wide) for job in jobs]
    render.show_table(columns, rows, optional=("TAGS", "ZONE", "LAST"), wide=wide)


def _upstream_names(client: Client, jobs: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Return the names of the jobs that the listed ones run after. Those of other pages are asked for."""
    names = {job["id"]: job["name"] for job in jobs}
    for upstream in {each["job"] for job in jobs if not job["schedule_expr"] for each in job["after"]} - names.keys():
        names[upstream] = client.get(f"jobs/{upstream}")["name"]
    return names


def _schedule(job: dict[str, Any], names: Mapping[int, str]) -> str:
    if job["schedule_expr"] or not job["after"]:
        return job["schedule_expr"] or "on demand"
    return f"after {', '.join(names[each['job']] for each in job['after'])}"


def _row(job: dict[str, Any], names: Mapping[int, str], *, wide: bool) -> tuple[Any, ...]:
    return (
        job["id"],
        job["name"],
        job["status"],
        _schedule(job, names),
        job["timezone"],
        render.instant(job["next_run_at"], short=not wide),
        job["last_run_status"],
        ", ".join(job["tags"]),
    )
