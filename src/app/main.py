"""`uvicorn src.app.main:app`."""

import sys

from scheduler_service.quick_start import uncollected

with uncollected():
    from scheduler_service.api.app import create_app
    from scheduler_service.config import load_settings
    from scheduler_service.errors import ConfigurationError
    from scheduler_service.telemetry import configure_logging

try:
    settings = load_settings()
except ConfigurationError as error:
    print(error, file=sys.stderr)  # noqa: T201 (there is no log without settings)
    raise SystemExit(2) from None

configure_logging(settings.log_level, settings.log_format)
app = create_app(settings)
