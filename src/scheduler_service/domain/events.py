"""Changes of jobs and runs, and where each stands in the stream of events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from scheduler_service.domain.run_state import Reason

Subject = Literal["job", "run"]
_POSITION = re.compile(r"(\d{1,19})-(\d{1,19})", re.ASCII)
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A position in the stream of events; the next event has a greater one."""

    transaction_id: int
    event_id: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `str` wrote; None: this is something else."""
        match = _POSITION.fullmatch(text)
        if match is None or max(numbers := (int(match[1]), int(match[2]))) > _LARGEST:
            return None
        return cls(*numbers)

    def __str__(self) -> str:
        """Write it so that clients can hand it back."""
        return f"{self.transaction_id}-{self.event_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of a job (created, changed, paused, resumed, finished, deleted) or of a run (its new status).

    `change` of a run is also `fenced`: a stale attempt wanted to write and was refused; and `faulted`: the sandbox of a
    worker could not begin it.
    """

    position: Position
    at: datetime
    subject: Subject
    change: str
    job_id: int
    job_name: str | None
    owner_id: str | None
    run_id: int | None
    attempt: int | None
    reason: Reason | None
    payload_type: str | None
    duration_seconds: float | None
    lateness_seconds: float | None
    missed_count: int | None
    correlation_id: str | None
