"""A chain as it is stored: runs that began after each other."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler_service.domain.records import Run


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A run of a chain, the name of its job, and the run after which it began. None: it is the first."""

    run: Run
    job_name: str
    upstream_run_id: int | None
