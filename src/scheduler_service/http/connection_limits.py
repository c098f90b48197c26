"""What one client connection may cost, and how many may be open; `connections` says what each limit is of."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler_service.config.open_files import open_files
from scheduler_service.config.settings import Settings

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 200
MAX_PIPELINED = 16
SLOW_READER_SECONDS = 30.0
LINGER_SECONDS = 10.0
# Of a body after its response; a longer one closes the connection.
MAX_UNWANTED_BYTES = 1024 * 1024
MAX_LINGER_BYTES = 64 * 1024 * 1024
MIN_READ_BYTES = 4096
# Reserved for the database, runs, logs and files.
RESERVED_FILES = 400
MIN_CONNECTIONS = 32


@dataclass(slots=True)
class ConnectionLimits:
    """The limits that settings change."""

    head_seconds: float = 15.0
    body_seconds: float = 60.0
    max_connections: int = 2000


LIMITS = ConnectionLimits()
"""Those of this process. uvicorn creates the protocols, and passes no settings to them."""


def set_limits(settings: Settings) -> None:
    """Take over the limits of the settings."""
    LIMITS.head_seconds, LIMITS.body_seconds = settings.head_seconds, settings.body_seconds
    LIMITS.max_connections = settings.max_connections


def max_connections() -> int:
    """Return how many connections may be open: the setting, or fewer if the limit of open files is low."""
    return max(MIN_CONNECTIONS, min(LIMITS.max_connections, open_files() - RESERVED_FILES))
