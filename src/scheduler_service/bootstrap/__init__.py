"""Builds a process from its parts, starts its loops, and shuts it down in order. No other module does this wiring.

There are three roles: the request side, the worker and the dispatcher. In the embedded mode one process has all of
them. In the distributed mode each role has its own processes, connected by the database and the broker.
"""

from scheduler_service.bootstrap.derived_settings import environments_of
from scheduler_service.bootstrap.processes import migrate, open_dispatcher, open_service, open_worker
from scheduler_service.bootstrap.request_side import Service
from scheduler_service.bootstrap.survey import Survey, survey

__all__ = [
    "Service",
    "Survey",
    "environments_of",
    "migrate",
    "open_dispatcher",
    "open_service",
    "open_worker",
    "survey",
]
