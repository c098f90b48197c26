"""`scheduler up`: the service in one process, until a signal ends it."""

from __future__ import annotations

import typer


def up() -> None:
    """Start everything in this process: the API, the dispatcher and the worker. Ctrl-C drains and stops.

    Settings come from the environment and .env: SCHEDULER_HOST, SCHEDULER_PORT (8000), SCHEDULER_DATA_DIR (./data),
    API_KEY and the rest of .env.example. A second Ctrl-C stops without waiting for what runs.
    """
    # Imported here, since it brings the whole service along: commands that only talk to one start quicker.
    from scheduler_service.cli.serving import serve  # noqa: PLC0415 (slow)
    from scheduler_service.config import load_settings  # noqa: PLC0415 (slow)

    raise typer.Exit(serve(load_settings()))
