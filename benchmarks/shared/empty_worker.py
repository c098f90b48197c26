"""This service's worker with a sandbox that runs nothing: `celery -A benchmarks.shared.empty_worker worker`."""

from __future__ import annotations

from benchmarks.shared import empty_sandbox

from scheduler_service.config.loading import load_settings
from scheduler_service.entrypoints.celery_app import create

app = create(load_settings(**empty_sandbox.install()))
