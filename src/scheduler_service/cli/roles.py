"""The commands `scheduler api`, `worker`, `beat` and `flower`: one role of the distributed mode per process."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from scheduler_service.startup import without_gc

_Name = Annotated[str | None, typer.Option("--name", help="Show this name in monitors.", show_default="worker-PID")]


_Also = Annotated[list[str] | None, typer.Option("--also", hidden=True, help="Print these lines after the start.")]


def api(also: _Also = None) -> None:
    """Start the HTTP API on SCHEDULER_PORT (default 8000).

    It needs REDIS_URL and DATABASE_URL, from the environment or .env. Start beats and workers as well: without them no
    run begins.
    """
    from scheduler_service.config.loading import load_distributed_settings  # noqa: PLC0415 (slow)

    settings = load_distributed_settings()
    with without_gc():
        from scheduler_service.cli.serving import serve  # noqa: PLC0415 (slow)

    raise typer.Exit(serve(settings, also or ()))


def worker(name: _Name = None) -> None:
    """Start a worker that executes SCHEDULER_SLOTS runs at once.

    It needs REDIS_URL and DATABASE_URL, from the environment or .env. SCHEDULER_WORKER_TAGS limits which runs it
    executes. After SIGTERM it starts no more runs, waits SCHEDULER_DRAIN_SECONDS for the others, and ends.
    """
    # These skip a handshake with other workers, which takes a second. The database already holds that information.
    alone = ("--without-mingle", "--without-gossip")
    _celery("worker", "--hostname", f"{name or f'worker-{os.getpid()}'}@%h", *alone)


def beat() -> None:
    """Start a dispatcher, which queues the runs of due jobs.

    Several may run at once: none is the leader, and each instant fires once.
    """
    _celery("beat")


def flower() -> None:
    """Start Flower, a web page of workers and tasks (port 5555).

    Flower has settings of its own, such as FLOWER_PORT and FLOWER_BASIC_AUTH.
    """
    # The same as in flowerconfig.py, which Flower finds only in the root of a checkout.
    os.environ.setdefault("FLOWER_ADDRESS", "127.0.0.1")
    os.environ.setdefault("FLOWER_READ_ONLY", "true")
    from scheduler_service.entrypoints.flower_pages import link_runs  # noqa: PLC0415 (slow)

    link_runs()
    _celery("flower")


def _celery(*arguments: str) -> None:
    from scheduler_service.config.loading import load_distributed_settings  # noqa: PLC0415 (slow)

    settings = load_distributed_settings()
    with without_gc():
        from scheduler_service.entrypoints.celery_app import create  # noqa: PLC0415 (slow)

    # Flower reads its options from sys.argv.
    sys.argv = ["celery", *arguments]
    raise typer.Exit(create(settings).start(["--quiet", *arguments]))
