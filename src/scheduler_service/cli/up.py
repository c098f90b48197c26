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
            help="Start PostgreSQL, Valkey, the API, two beats, two workers and Flower.",
        ),
    ] = False,
) -> None:
    """Start the API, the dispatcher and a worker in one process.

    Ctrl-C stops it after running jobs have ended, or after SCHEDULER_DRAIN_SECONDS (default 10). A second Ctrl-C stops
    it at once. Settings come from the environment and .env; .env.example explains each one.
    """
    # Imported here because it imports the whole service. Client commands start faster without it.
    from scheduler_service.config.loading import load_settings  # noqa: PLC0415 (slow)

    settings = load_settings()
    if distributed:
        from scheduler_service.cli.devstack import serve_devstack  # noqa: PLC0415 (slow)

        raise typer.Exit(serve_devstack(settings))
    if settings.is_distributed:
        raise ConfigurationError(
            "REDIS_URL: set, but `scheduler up` runs in one process without Redis; remove DATABASE_URL and REDIS_URL, "
            "or run `scheduler up --distributed`, `docker compose up -d`, or `scheduler api`, `worker` and `beat`"
        )
    with without_gc():
        from scheduler_service.cli.serving import serve  # noqa: PLC0415 (slow)

    raise typer.Exit(serve(settings))
