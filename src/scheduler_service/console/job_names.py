"""Finds the job that an argument names: by id, external key or name."""

from __future__ import annotations

from scheduler_service.console.client import Client
from scheduler_service.console.exit_codes import RefusedError
from scheduler_service.errors import FieldProblem

NAMES_A_JOB = "names a job"
"""Marks the parameters of commands whose value becomes the id of the job that it names."""

MAX_NAMED = 100


def find_job(client: Client, named: str) -> str:
    """Return the id of a job. Raise `RefusedError` if no job has the name, or several have it."""
    if named.isdecimal():
        return named
    jobs = client.get("jobs", external_key=named)["jobs"] or client.get("jobs", name=named, size=MAX_NAMED)["jobs"]
    found = [job["id"] for job in jobs]
    if len(found) == 1:
        return str(found[0])
    if found:
        ids = ", ".join(map(str, found))
        raise RefusedError(FieldProblem("JOB", f"{len(found)} jobs have this name: {ids}; name one by its id", named))
    raise RefusedError(FieldProblem("JOB", "no job has this name; `scheduler jobs list` shows them", named))
