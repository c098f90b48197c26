"""The quotas of owners that were given none of their own."""

from __future__ import annotations

from scheduler_service.config.settings import Settings
from scheduler_service.domain.quotas import Quotas


def quotas_of(settings: Settings) -> Quotas:
    """Return the default quotas. Every process needs the same settings."""
    return Quotas(
        jobs=settings.quota_jobs,
        min_interval_seconds=settings.quota_min_interval_seconds,
        runs_per_minute=settings.quota_runs_per_minute,
        concurrent_runs=settings.quota_concurrent_runs,
        environments=settings.quota_environments,
        stored_mb=settings.quota_stored_mb,
    ).normal()
