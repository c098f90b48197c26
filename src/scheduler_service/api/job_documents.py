"""Shows lists of jobs from kept parts of JSON.

Theory of operation. Of the fields of a job, those in _CHANGING differ from one run to the next; all others belong to a
version. The fields before and after them are kept as bytes, by version and day, because warnings are about the coming
two years. A list then reads few columns, and builds only the fields between. These are kept by their values, because
most jobs have not run since they were listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from pydantic_core import to_json

from scheduler_service.api.kept_parts import KeptParts, Parts
from scheduler_service.api.schemas.jobs import JobOut
from scheduler_service.domain.environment_lock import EnvironmentState
from scheduler_service.domain.records import Job, JobState
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.services.schedules import ScheduleService

_CHANGING = (
    "environment_state", "status", "pause_reason", "paused_until", "next_run_at", "last_run_at", "last_run_status",
)  # fmt: skip
_NAMES = tuple(JobOut.model_fields)
_FIRST = _NAMES.index(_CHANGING[0])
_BEFORE, _AFTER = _NAMES[:_FIRST], _NAMES[_FIRST + len(_CHANGING) :]
_OF_STATE = _CHANGING[1:]

Key = tuple[int, int, datetime, JobStatus, date] | tuple[JobState, EnvironmentState | None]


class JobListDocument:
    """One list of jobs, and the parts of JSON that it needs."""

    def __init__(self, kept: KeptParts[Key], day: date) -> None:
        self._kept = kept
        self._day = day
        self._parts: dict[int, Parts] = {}

    def knows(self, state: JobState) -> bool:
        """Return whether the unchanging fields of this version are kept, and hold them for this list."""
        if (parts := self._kept.find(_key(state, self._day))) is not None:
            self._parts[state.id] = parts
        return parts is not None

    def add(self, jobs: Mapping[int, Job], schedules: ScheduleService) -> None:
        """Add the unchanging fields of jobs that are not known."""
        for job in jobs.values():
            document = JobOut.document(job, schedules.describe(job))
            parts = (
                to_json({name: document[name] for name in _BEFORE})[:-1] + b",",
                b"," + to_json({name: document[name] for name in _AFTER})[1:],
            )
            self._parts[job.id] = parts
            self._kept.put(_key(job, self._day), parts)

    def show(self, states: Sequence[JobState], environments: Mapping[str, EnvironmentState]) -> bytes:
        """Return the JSON of the list, of whose jobs each is known or was added."""
        return (
            b"[" + b",".join(self._show(state, environments.get(state.environment_id or "")) for state in states) + b"]"
        )

    def _show(self, state: JobState, environment: EnvironmentState | None) -> bytes:
        before, after = self._parts[state.id]
        if (kept := self._kept.find((state, environment))) is None:
            changing = {"environment_state": environment, **{name: getattr(state, name) for name in _OF_STATE}}
            kept = (to_json(changing)[1:-1],)
            self._kept.put((state, environment), kept)
        return before + kept[0] + after


def _key(job: Job | JobState, day: date) -> Key:
    return job.id, job.version, job.updated_at, job.status, day
