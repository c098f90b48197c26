"""The only wiring: puts the rooms together for a process, starts its loops, and takes it down in good order.

There are three roles: the request side, a worker and a dispatcher. In the embedded setting one process has all of
them; in the distributed one each has processes of its own, and the database and the broker between them.
"""

from scheduler_service.bootstrap.processes import migrate, open_dispatcher, open_service, open_worker
from scheduler_service.bootstrap.request_side import Service
from scheduler_service.bootstrap.rules import environments_of
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
