"""The command `scheduler jobs backfill`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.options import AsJson, JobId


@with_client
def backfill_job(  # noqa: PLR0913 (one for each option)
    client: Client,
    job: JobId,
    *,
    begin: Annotated[str, typer.Option("--from", metavar="INSTANT", help="Begin the window at this instant.")],
    end: Annotated[str, typer.Option("--to", metavar="INSTANT", help="End the window at this past instant.")],
    only: Annotated[
        Literal["missed", "failed", "all"], typer.Option(help="Run instants without a run, failed ones, or all.")
    ] = "missed",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be run.")] = False,
    max_runs: Annotated[int, typer.Option(min=1, max=10_000, help="Queue at most this many runs.")] = 100,
    newest_first: Annotated[bool, typer.Option("--newest-first", help="Begin with the newest instants.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run past instants of a job that have no run, or failed.

    Example: `scheduler jobs backfill 7 --from 2026-01-14T00:00:00Z --to 2026-01-14T23:59:59Z --dry-run`
    """
    request = {
        "from": begin,
        "to": end,
        "only": only,
        "dry_run": dry_run,
        "max_runs": max_runs,
        "order": "newest_first" if newest_first else "oldest_first",
    }
    answer = client.post(f"jobs/{job}/backfill", request)
    if as_json:
        render.show_json(answer)
        return
    rows = [(render.instant(each["scheduled_for"]), each["outcome"], each["run_id"]) for each in answer["instants"]]
    if rows:
        render.show_table(("INSTANT", "OUTCOME", "RUN"), rows)
    counted = f"{len(rows)} of {answer['matched']} matching instants"
    render.line(f"{counted} would be run." if dry_run else f"{counted} chosen, {answer['queued']} runs queued.")
