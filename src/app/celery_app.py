"""Module for `celery -A src.app.celery_app worker|beat|flower`."""

from scheduler_service.config.loading import load_distributed_settings
from scheduler_service.startup import or_exit, without_gc

settings = or_exit(load_distributed_settings)  # before the slow imports, so that errors appear at once

with without_gc():
    from scheduler_service.entrypoints.celery_app import create

app = create(settings)
