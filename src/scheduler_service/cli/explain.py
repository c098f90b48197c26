"""The command `scheduler jobs explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.options import AsJson, JobId


@with_client
def explain_job(
    client: Client,
    job: JobId,
    *,
    last: Annotated[int, typer.Option(min=1, max=100, help="Show this many past rows. Default: 10.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Explain the last instants of a job and its next run."""
    answer = client.get(f"jobs/{job}/explain", last=last)
    if as_json:
        render.show_json(answer)
        return
    for row in answer["last"]:
        render.line(row["sentence"])
    unmet = [blocker for blocker in answer["blockers"] if not blocker["met"]]
    if not unmet:
        render.line("Nothing holds back the next run.")
    for blocker in unmet:
        render.line(f"{blocker['code']}: {blocker['sentence']} {blocker['remedy']}")
