"""Creates the application that serves HTTP: the API, and the web interface unless SCHEDULER_UI is off."""

from __future__ import annotations

from fastapi import FastAPI

from scheduler_service import bootstrap
from scheduler_service.api.app import ServiceFactory, create_app
from scheduler_service.config.settings import Settings
from scheduler_service.web.app import install


def create_application(settings: Settings, service_factory: ServiceFactory = bootstrap.open_service) -> FastAPI:
    """Build the application. Its lifespan opens and closes the service."""
    app = create_app(settings, service_factory)
    if settings.ui != "off":
        install(app, settings)
    return app
