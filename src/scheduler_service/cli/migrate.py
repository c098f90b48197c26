"""The command `scheduler migrate`."""

from __future__ import annotations

import asyncio

from scheduler_service.console import render
from scheduler_service.startup import without_gc


def migrate() -> None:
    """Bring the database to the newest shape. Every start of the service does so too; nothing is lost.

    Which database: DATABASE_URL, else the SQLite file in SCHEDULER_DATA_DIR (./data). A service that runs on that
    directory has to stop first.
    """
    # Imported here because they are slow to import, and other short commands do not need the database.
    with without_gc():
        from scheduler_service import bootstrap  # noqa: PLC0415 (slow)
        from scheduler_service.config.loading import load_settings_without_key  # noqa: PLC0415 (slow)
        from scheduler_service.console.settings import read_settings  # noqa: PLC0415 (slow)

    render.line(str(asyncio.run(bootstrap.migrate(read_settings(load_settings_without_key)))))
