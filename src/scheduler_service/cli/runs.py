"""The commands `scheduler runs …`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scheduler_service.cli.log_follower import copy_log, follow_log
from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.job_names import NAMES_A_JOB
from scheduler_service.console.options import AsJson, Page, RunId, Size, Wide
from scheduler_service.features.artifacts.commands import artifacts_of_run
from scheduler_service.features.chains.commands import chain_of_run

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="Show runs and their logs; cancel and retry runs."
)


@app.command("list")
@with_client
def list_runs(  # noqa: PLR0913 (one for each option)
    client: Client,
    *,
    job: Annotated[str | None, typer.Option(metavar="JOB", help="Show only runs of this job."), NAMES_A_JOB] = None,
    status: Annotated[
        str | None,
        typer.Option(
            help="Show only runs that are queued, running, retrying, success, failed, cancelled, skipped or missed; "
            "several with commas."
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Show only runs with this reason, such as timeout.")] = None,
    late: Annotated[
        bool, typer.Option("--late", help="Show only runs that began 60 seconds after their instant or later.")
    ] = False,
    since: Annotated[str | None, typer.Option(help="Show only runs from this instant on (2026-01-15T10:30Z).")] = None,
    until: Annotated[str | None, typer.Option(help="Show only runs before this instant.")] = None,
    page: Page = 1,
    size: Size = 20,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    path = "runs" if job is None else f"jobs/{job}/runs"
    window = {"late": "true" if late else None, "since": since, "until": until}
    answer = client.get(path, status=status, reason=reason, page=page, size=size, **window)
    if as_json:
        render.show_json(answer)
        return
    columns = ("ID", "JOB", "STATUS", "REASON", "TRIGGER", "SCHEDULED FOR", "STARTED", "TOOK", "LATE", "EXIT")
    rows = [_row(run, wide=wide) for run in answer["runs"]]
    render.show_table(columns, rows, optional=("TRIGGER", "LATE", "STARTED", "EXIT", "TOOK"), wide=wide)
    render.show_position(answer, len(answer["runs"]))


app.command("artifacts")(artifacts_of_run)
app.command("chain")(chain_of_run)


@app.command("show")
@with_client
def show_run(client: Client, run: RunId, *, as_json: AsJson = False) -> None:
    """Show one run, its attempts and its log."""
    _show(client.get(f"runs/{run}"), as_json)


@app.command("logs")
@with_client
def show_logs(
    client: Client,
    run: RunId,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the log until the run ends.")] = False,
) -> None:
    """Write the log of a run.

    A terminal gets the log without control sequences; a file or a pipe gets every byte. Ctrl-C stops following (exit
    code 130) and does not stop the run.
    """
    if follow:
        follow_log(client, run)
    else:
        copy_log(client, run)


@app.command("cancel")
@with_client
def cancel_run(client: Client, run: RunId, *, as_json: AsJson = False) -> None:
    """Cancel a queued run, or ask a running one to stop."""
    asked = client.post(f"runs/{run}/cancel")
    if as_json or asked["status"] != "running":
        show_run_state(asked, as_json)
    else:
        render.line(f"Run {run} of job {asked['job_id']} was asked to stop.")


@app.command("retry")
@with_client
def retry_run(client: Client, run: RunId, *, as_json: AsJson = False) -> None:
    """Retry an unsuccessful run, as a new run for the instant."""
    show_run_state(client.post(f"runs/{run}/retry"), as_json)


def show_run_state(run: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 (says which of two forms)
    """Print the state of a run after a command changed it."""
    if as_json:
        render.show_json(run)
        return
    render.line(f"Run {run['id']} of job {run['job_id']} is {run['status']}.")
    if run["status"] == "queued":
        render.note(f"To follow its log: scheduler runs logs {run['id']} --follow")


def _row(run: dict[str, Any], *, wide: bool) -> tuple[Any, ...]:
    return (
        run["id"],
        run["job_id"],
        run["status"],
        run["reason"],
        run["trigger"],
        render.instant(run["scheduled_for"], short=not wide),
        render.instant(run["started_at"], short=not wide),
        render.seconds(run["duration_seconds"]),
        render.seconds(run["lateness_seconds"]),
        run["exit_code"],
    )


def _show(run: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 (says which of two forms)
    if as_json:
        render.show_json(run)
        return
    render.show_pairs({name: value for name, value in run.items() if name not in {"attempts", "logs"}})
    columns = ("ATTEMPT", "STATUS", "REASON", "STARTED", "TOOK", "EXIT", "SIGNAL", "WORKER")
    render.line("")
    render.show_table(columns, map(_attempt_row, run["attempts"]))
    if run["logs"]:
        render.line("")
        render.show_pairs({"logs": f"{run['logs']}\n"})


def _attempt_row(attempt: dict[str, Any]) -> tuple[Any, ...]:
    return (
        attempt["attempt"],
        attempt["status"],
        attempt["reason"],
        render.instant(attempt["started_at"]),
        render.seconds(attempt["duration_seconds"]),
        attempt["exit_code"],
        attempt["signal"],
        attempt["worker"],
    )
