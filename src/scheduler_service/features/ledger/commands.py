"""`scheduler ledger …`."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.exit_codes import ExitCode
from scheduler_service.console.job_names import NAMES_A_JOB
from scheduler_service.console.options import AsJson

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Check the ledger of all instants.")


@app.callback()
def ledger() -> None:
    """Check the ledger of all instants."""


@app.command("check")
@with_client
def check_ledger(
    client: Client,
    *,
    job: Annotated[
        str | None, typer.Option(metavar="JOB", help="Check only this job. Default: all."), NAMES_A_JOB
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Check from this instant on. Default: one day ago.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that every instant that was owed has exactly one row.

    The exit code is 1 if an instant has none, or if a row is not owed.
    """
    answer = client.get("ledger/check", job_id=job, since=since)
    if as_json:
        render.show_json(answer)
    else:
        render.line(f"{answer['accounted']} of {answer['owed']} owed instants of {answer['jobs']} jobs have a row.")
        rows = [(each["job_id"], each["kind"], each["scheduled_for"]) for each in answer["differences"]]
        if rows:
            render.show_table(("JOB", "KIND", "INSTANT"), rows)
    if answer["differences"]:
        raise typer.Exit(ExitCode.FAILED)
