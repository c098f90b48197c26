"""What comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DueMinute:
    """A minute, and the number of jobs whose next instant is in it. `job_id` and `job_name` are of one of them."""

    at: datetime
    jobs: int
    job_id: int
    job_name: str
