"""What one client connection may cost, and how many may be open; `connections` says what each limit is of."""

from __future__ import annotations

from scheduler_service.config.open_files import open_files

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 200
MAX_PIPELINED = 16
HEAD_SECONDS = 15.0
BODY_SECONDS = 60.0
SLOW_READER_SECONDS = 30.0
LINGER_SECONDS = 10.0
# Of a body after its response; a longer one closes the connection.
MAX_UNWANTED_BYTES = 1024 * 1024
MAX_LINGER_BYTES = 64 * 1024 * 1024
MIN_READ_BYTES = 4096
MAX_CONNECTIONS = 2000
# Reserved for the database, runs, logs and files.
RESERVED_FILES = 400
MIN_CONNECTIONS = 32


def max_connections() -> int:
    """Return how many connections may be open, derived from the limit of open files."""
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, open_files() - RESERVED_FILES))
