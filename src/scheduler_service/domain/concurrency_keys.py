"""The keys by which jobs of one owner share their concurrency slots."""

from __future__ import annotations

from scheduler_service.domain.records import Job

KEY_PATTERN = r"[A-Za-z0-9_.:-]{1,64}"
"""The form of a key. It contains no slash, which separates it from its owner below."""


def shared_key(job: Job) -> str | None:
    """Return the key of a job's slots with its owner, or None if the job shares none."""
    return None if job.concurrency_key is None else f"{job.concurrency_key}/{job.owner_id}"
