"""Choices of a job that have no effect beside others of it: accepted, and said to its owner."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.storage.records import Job


def advice(job: Job) -> Iterator[str]:
    """Warn of what the definition says in vain."""
    yield from _retry_advice(RetryPolicy(**job.retry_policy))
    yield from _concurrency_advice(job)


def _retry_advice(policy: RetryPolicy) -> Iterator[str]:
    if policy.max_retries and policy.max_delay < policy.retry_delay:
        yield (
            f"retry_policy.max_delay ({policy.max_delay:g} s) is below retry_policy.retry_delay "
            f"({policy.retry_delay:g} s): each retry waits {policy.max_delay:g} s."
        )


def _concurrency_advice(job: Job) -> Iterator[str]:
    if job.overlap_policy == "allow" and job.max_concurrency > 1:
        yield (
            f"max_concurrency ({job.max_concurrency}) does not count where overlap_policy is allow: "
            "any number of runs may go on at once."
        )
