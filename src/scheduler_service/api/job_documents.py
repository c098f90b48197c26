"""Shows lists of jobs from kept parts of JSON.

Theory of operation. Of the fields of a job, those in _CHANGING differ from one run to the next; all others belong to a
version. The fields before and after them are kept as bytes, by version and day, because warnings are about the coming
two years. A list then reads few columns, and builds only the fields between.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from pydantic_core import to_json

from scheduler_service.api.schemas.jobs import JobOut
from scheduler_service.domain.environment_lock import EnvironmentState
from scheduler_service.domain.records import Job, JobState
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.services.schedules import ScheduleService

MAX_KEPT_BYTES = 16 * 1024 * 1024
_CHANGING = (
    "environment_state", "status", "pause_reason", "paused_until", "next_run_at", "last_run_at", "last_run_status",
)  # fmt: skip
_NAMES = tuple(JobOut.model_fields)
_FIRST = _NAMES.index(_CHANGING[0])
_BEFORE, _AFTER = _NAMES[:_FIRST], _NAMES[_FIRST + len(_CHANGING) :]
_OF_STATE = _CHANGING[1:]

Key = tuple[int, int, datetime, JobStatus, date]


class JobDocuments:
    """The kept parts of JSON of recently listed jobs."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[bytes, bytes]] = OrderedDict()
        self._bytes = 0

    def knows(self, state: JobState, day: date) -> bool:
        """Return whether the unchanging fields of this version are kept."""
        return _key(state, day) in self._kept

    def keep(self, jobs: Mapping[int, Job], schedules: ScheduleService, day: date) -> None:
        """Keep the unchanging fields of jobs."""
        for job in jobs.values():
            document = JobOut.document(job, schedules.describe(job))
            parts = (
                to_json({name: document[name] for name in _BEFORE})[:-1] + b",",
                b"," + to_json({name: document[name] for name in _AFTER})[1:],
            )
            self._kept[_key(job, day)] = parts
            self._bytes += len(parts[0]) + len(parts[1])

    def show(self, states: Sequence[JobState], environments: Mapping[str, EnvironmentState], day: date) -> bytes:
        """Return the JSON of a list of jobs, all of which are kept. Forget the jobs that were not shown for longest."""
        shown = b",".join(self._show(state, environments.get(state.environment_id or ""), day) for state in states)
        while self._bytes > MAX_KEPT_BYTES:
            _, (before, after) = self._kept.popitem(last=False)
            self._bytes -= len(before) + len(after)
        return b"[" + shown + b"]"

    def _show(self, state: JobState, environment: EnvironmentState | None, day: date) -> bytes:
        key = _key(state, day)
        self._kept.move_to_end(key)
        before, after = self._kept[key]
        changing = {"environment_state": environment, **{name: getattr(state, name) for name in _OF_STATE}}
        return before + to_json(changing)[1:-1] + after


def _key(job: Job | JobState, day: date) -> Key:
    return job.id, job.version, job.updated_at, job.status, day
