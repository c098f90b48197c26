"""The command `scheduler migrate`."""

from __future__ import annotations

import asyncio

from scheduler_service.console import render
from scheduler_service.startup import without_gc


def migrate() -> None:
    """Apply pending database migrations.

    Every start of the service does this too. The database is DATABASE_URL, or else the SQLite file in
    SCHEDULER_DATA_DIR (default ./data); stop a service that uses that directory first.
    """
    # Imported here because they are slow to import, and other short commands do not need the database.
    with without_gc():
        from scheduler_service import bootstrap  # noqa: PLC0415 (slow)
        from scheduler_service.config.loading import load_settings_without_key  # noqa: PLC0415 (slow)
        from scheduler_service.console.settings import read_settings  # noqa: PLC0415 (slow)

    render.line(str(asyncio.run(bootstrap.migrate(read_settings(load_settings_without_key)))))
