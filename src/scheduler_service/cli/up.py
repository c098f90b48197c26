"""The command `scheduler up`: the whole service in one process."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler_service.errors import ConfigurationError
from scheduler_service.startup import without_gc


def up(
    distributed: Annotated[  # noqa: FBT002 (an option of a command)
        bool,
        typer.Option(
            "--distributed",
            help="Try the distributed setting: start PostgreSQL, Valkey, the API, two beats, two workers and Flower.",
        ),
    ] = False,
) -> None:
    """Start everything in this process: the API, the dispatcher and the worker. Ctrl-C drains and stops.

    Settings come from the environment and .env: SCHEDULER_HOST, SCHEDULER_PORT (8000), SCHEDULER_DATA_DIR (./data),
    API_KEY and the rest of .env.example. A second Ctrl-C stops without waiting for what runs.
    """
    # Imported here because it imports the whole service. Client commands start faster without it.
    from scheduler_service.config.loading import load_settings  # noqa: PLC0415 (slow)

    settings = load_settings()
    if distributed:
        from scheduler_service.cli.devstack import serve_devstack  # noqa: PLC0415 (slow)

        raise typer.Exit(serve_devstack(settings))
    if settings.is_distributed:
        raise ConfigurationError(
            "REDIS_URL: set, so no single process does everything: `scheduler up --distributed` starts several "
            "and servers of their own, `docker compose up -d` does so in containers, `scheduler api`, `worker` and "
            "`beat` start one each; or take DATABASE_URL and REDIS_URL out, and one process does"
        )
    with without_gc():
        from scheduler_service.cli.serving import serve  # noqa: PLC0415 (slow)

    raise typer.Exit(serve(settings))
