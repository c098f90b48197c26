"""Module for `uvicorn src.app.main:app`."""

from scheduler_service.config.loading import load_settings
from scheduler_service.config.open_files import raise_open_files
from scheduler_service.startup import opened_or_exit, or_exit, without_gc

settings = or_exit(load_settings)  # before the slow imports, so that errors appear at once

with without_gc():
    from scheduler_service import bootstrap
    from scheduler_service.entrypoints.application import create_application
    from scheduler_service.http import connections
    from scheduler_service.telemetry.logging_config import configure_logging

connections.install(settings)
raise_open_files()
configure_logging(settings.log_level, settings.log_format)
app = create_application(settings, opened_or_exit(bootstrap.open_service))
