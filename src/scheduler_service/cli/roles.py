"""The commands `scheduler api`, `worker`, `beat` and `flower`: one role of the distributed setting per process."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from scheduler_service.startup import without_gc

_Name = Annotated[str | None, typer.Option("--name", help="What monitors call it.", show_default="worker-PID")]


def api() -> None:
    """Start the HTTP API of the distributed setting; beats and workers are processes of their own.

    Settings come from the environment and .env: REDIS_URL, DATABASE_URL, SCHEDULER_HOST, SCHEDULER_PORT.
    """
    from scheduler_service.config.loading import load_distributed_settings  # noqa: PLC0415 (slow)

    settings = load_distributed_settings()
    with without_gc():
        from scheduler_service.cli.serving import serve  # noqa: PLC0415 (slow)

    raise typer.Exit(serve(settings))


def worker(name: _Name = None) -> None:
    """Start a worker of the distributed setting. TERM drains it: what runs may end within SCHEDULER_DRAIN_SECONDS.

    What it is told of comes through REDIS_URL, what is true stands in DATABASE_URL. SCHEDULER_SLOTS says how many runs
    go at once, SCHEDULER_WORKER_TAGS whose.
    """
    # These skip a handshake with other workers, which takes a second. The database already holds that information.
    alone = ("--without-mingle", "--without-gossip")
    _celery("worker", "--hostname", f"{name or f'worker-{os.getpid()}'}@%h", *alone)


def beat() -> None:
    """Start a beat of the distributed setting, which fires what is due. Any number of them may run at once."""
    _celery("beat")


def flower() -> None:
    """Start Flower, which shows the workers and what they execute; FLOWER_PORT and such are settings of its own."""
    # The same as in flowerconfig.py, which Flower finds only in the root of a checkout.
    os.environ.setdefault("FLOWER_ADDRESS", "127.0.0.1")
    os.environ.setdefault("FLOWER_READ_ONLY", "true")
    _celery("flower")


def _celery(*arguments: str) -> None:
    from scheduler_service.config.loading import load_distributed_settings  # noqa: PLC0415 (slow)

    settings = load_distributed_settings()
    with without_gc():
        from scheduler_service.entrypoints.celery_app import create  # noqa: PLC0415 (slow)

    # Flower reads its options from sys.argv.
    sys.argv = ["celery", *arguments]
    raise typer.Exit(create(settings).start(["--quiet", *arguments]))
