"""What the end of a run means for the jobs that run after its job.

Theory of operation. A job names its upstream jobs in `after`, each with the end that it waits for. Upstream ends are
collected in a round, in which a later end of the same job replaces the earlier one. With the mode `all`, the round is
complete when every upstream job has ended once. The job then runs if every end was the right one, and is skipped if one
was not. With the mode `any`, each right end is a round of its own, and other ends mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from scheduler_service.domain.run_state import RunStatus

AwaitedEnd = Literal["success", "failure", "end"]
AfterMode = Literal["all", "any"]
MAX_UPSTREAMS = 16
Edges = Mapping[int, Iterable[int]]
"""The upstream jobs of each job."""


class Meaning(StrEnum):
    """What an end of an upstream run means for a job that waits for it."""

    # It is the end that the job waits for.
    MET = "met"
    # It is not, and the job's run is skipped with a row that says so.
    UNMET = "unmet"
    # It is not, and nothing has to be told: a job that runs after failures has nothing to do after a success.
    SILENT = "silent"


class Consequence(StrEnum):
    """What becomes of a job at the end of an upstream run."""

    WAIT = "wait"
    RUN = "run"
    SKIP = "skip"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Dependency:
    """An upstream job, and the end of its runs that is waited for."""

    job: int
    on: AwaitedEnd = "success"


def dependencies_in(after: Iterable[Mapping[str, Any]]) -> tuple[Dependency, ...]:
    """Return the dependencies in the stored field `after` of a job."""
    return tuple(Dependency(each["job"], each["on"]) for each in after)


def meaning_of(on: AwaitedEnd, status: RunStatus) -> Meaning:
    """Return what the final state of an upstream run means.

    `end` is met by a run that succeeded, failed or was cancelled. An instant that became no run meets nothing.
    """
    match on:
        case "success":
            return Meaning.MET if status is RunStatus.SUCCESS else Meaning.UNMET
        case "failure":
            return Meaning.MET if status is RunStatus.FAILED else Meaning.SILENT
        case "end":
            has_run = status in {RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.CANCELLED}
            return Meaning.MET if has_run else Meaning.UNMET


def consequence_of(mode: AfterMode, meanings: Sequence[Meaning | None]) -> Consequence:
    """Return what becomes of a job, from what this round has brought of each upstream job. None: nothing yet."""
    if mode == "any":
        return Consequence.RUN if Meaning.MET in meanings else Consequence.NOTHING
    if None in meanings:
        return Consequence.WAIT
    if all(meaning is Meaning.MET for meaning in meanings):
        return Consequence.RUN
    return Consequence.SKIP if Meaning.UNMET in meanings else Consequence.NOTHING


def cycle_through(job_id: int, edges: Edges) -> list[int] | None:
    """Return the jobs of a cycle through a job, which is the first and the last of them, or None without a cycle."""
    came_from: dict[int, int] = {}
    waiting = [job_id]
    while waiting:
        current = waiting.pop()
        for upstream in edges.get(current, ()):
            if upstream == job_id:
                return _path(job_id, current, came_from)
            if upstream not in came_from:
                came_from[upstream] = current
                waiting.append(upstream)
    return None


def _path(job_id: int, last: int, came_from: Mapping[int, int]) -> list[int]:
    path = [job_id, last]
    while path[-1] != job_id:
        path.append(came_from[path[-1]])
    return path
