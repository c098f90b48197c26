"""Changes of jobs and runs, and their positions in the event stream."""

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
    """A position in the event stream. Later events have greater positions."""

    transaction_id: int
    event_id: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the position that `str` formatted, or None if the text is not a position."""
        match = _POSITION.fullmatch(text)
        if match is None or max(numbers := (int(match[1]), int(match[2]))) > _LARGEST:
            return None
        return cls(*numbers)

    def __str__(self) -> str:
        """Return the position in the form that clients send back."""
        return f"{self.transaction_id}-{self.event_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of a job (created, changed, paused, resumed, finished, deleted) or of a run (its new status).

    For a run, `change` can also be `fenced` or `faulted`. `fenced`: a write of a stale attempt was refused. `faulted`:
    a worker's sandbox could not start the attempt.
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
