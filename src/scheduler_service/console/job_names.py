"""Finds the job that an argument names: by id, external key or name."""

from __future__ import annotations

from typing import Any

from scheduler_service.console.client import Client
from scheduler_service.console.exit_codes import RefusedError
from scheduler_service.errors import FieldProblem

NAMES_A_JOB = "names a job"
"""Marks the parameters of commands whose value becomes the id of the job that it names."""

PAGE_SIZE = 100
MAX_PAGES = 10


def find_job(client: Client, named: str) -> str:
    """Return the id of a job. Raise `RefusedError` if no job has the name, or several have it."""
    if named.isdecimal():
        return named
    by_key = client.get("jobs", external_key=named)["jobs"]
    found = [job["id"] for job in by_key or _jobs_with(client, named)]
    if len(found) == 1:
        return str(found[0])
    if found:
        ids = ", ".join(map(str, found))
        raise RefusedError(FieldProblem("JOB", f"{len(found)} jobs have this name: {ids}; name one by its id", named))
    raise RefusedError(FieldProblem("JOB", "no job has this name; `scheduler jobs list` shows them", named))


def _jobs_with(client: Client, name: str) -> list[dict[str, Any]]:
    """Return the jobs with exactly this name, among the first that contain it."""
    found: list[dict[str, Any]] = []
    for page in range(1, MAX_PAGES + 1):
        jobs = client.get("jobs", q=name, size=PAGE_SIZE, page=page, sort="id")["jobs"]
        found += [job for job in jobs if job["name"] == name]
        if len(jobs) < PAGE_SIZE:
            break
    return found
