"""The commands `scheduler jobs …`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scheduler_service.cli.job_table import show_jobs
from scheduler_service.cli.log_follower import wait_for
from scheduler_service.cli.payload_choice import PayloadChoice
from scheduler_service.cli.runs import show_run_state
from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.confirmation import confirm_deletion
from scheduler_service.console.connection import with_client
from scheduler_service.console.documents import (
    merged,
    read_arguments,
    read_changes,
    read_document,
    read_fields,
    read_files,
    read_variables,
)
from scheduler_service.console.exit_codes import RefusedError
from scheduler_service.console.options import AsJson, ChangedFields, ChangesFile, JobId, Page, Size, Wide, Yes
from scheduler_service.errors import FieldProblem

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Show, create, change, run and delete jobs.")


@app.command("list")
@with_client
def list_jobs(  # noqa: PLR0913 (one for each option)
    client: Client,
    *,
    status: Annotated[str | None, typer.Option(help="Show only jobs that are active, paused or finished.")] = None,
    last_status: Annotated[
        str | None, typer.Option(help="Show only jobs whose newest run that has ended has this status.")
    ] = None,
    of_type: Annotated[
        str | None, typer.Option("--type", help="Show only jobs with this kind of payload, such as python_code.")
    ] = None,
    due_since: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Show only jobs with their next instant at or after this.")
    ] = None,
    due_before: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Show only jobs whose next instant is earlier than this.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Show only jobs with this tag.")] = None,
    owner: Annotated[str | None, typer.Option(help="Show only jobs of this owner_id.")] = None,
    name: Annotated[str | None, typer.Option(help="Show only jobs with exactly this name.")] = None,
    query: Annotated[
        str | None, typer.Option("--query", "-q", help="Show only jobs with this text in name or description.")
    ] = None,
    sort: Annotated[str | None, typer.Option(help="Sort by this field; -FIELD sorts in descending order.")] = None,
    page: Page = 1,
    size: Size = 20,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List jobs."""
    filters = {"status": status, "last_status": last_status, "type": of_type}
    filters |= {"due_since": due_since, "due_before": due_before, "tag": tag, "owner_id": owner}
    filters |= {"name": name, "q": query}
    answer = client.get("jobs", **filters, sort=sort, page=page, size=size)
    if as_json:
        render.show_json(answer)
        return
    show_jobs(client, answer["jobs"], wide=wide)
    render.show_position(answer, len(answer["jobs"]))


@app.command("show")
@with_client
def show_job(client: Client, job: JobId, *, as_json: AsJson = False) -> None:
    """Show one job and its payload."""
    _show(client.get(f"jobs/{job}"), as_json)


@app.command("create")
@with_client
def create_job(  # noqa: PLR0913 (one for each option)
    client: Client,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD", help="Parameters of --crunch (n=100), or after --, the argv of --program."),
    ] = None,
    *,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="Read the job from this JSON file; - is standard input.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Name the job.")] = None,
    schedule: Annotated[str | None, typer.Option(help="Run at this cron pattern, interval (5m) or instant.")] = None,
    on_demand: Annotated[bool, typer.Option("--on-demand", help="Run only when asked to, by no schedule.")] = False,
    timezone: Annotated[str | None, typer.Option(help="Read the schedule in this IANA zone. Default: UTC.")] = None,
    python: Annotated[
        str | None, typer.Option(metavar="CODE", help="Run this Python code; @FILE reads a file.")
    ] = None,
    shell: Annotated[str | None, typer.Option(metavar="SCRIPT", help="Run this script; @FILE reads a file.")] = None,
    crunch: Annotated[
        str | None, typer.Option(metavar="OPERATION", help="Run this operation of number_crunching.")
    ] = None,
    program: Annotated[bool, typer.Option("--program", help="Run the program that follows --.")] = False,
    tag: Annotated[list[str] | None, typer.Option(help="Add a tag; repeatable.")] = None,
    env: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Set a variable; repeatable.")] = None,
    with_file: Annotated[
        list[str] | None,
        typer.Option("--with-file", metavar="[NAME=]PATH", help="Put this file beside the code; repeatable."),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SECRET", help="Set a variable, or ./FILE, to a secret; repeatable."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop an attempt after this many seconds. Default: 300.")
    ] = None,
    retries: Annotated[int | None, typer.Option(help="Retry a failed run this many times. Default: 0.")] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Create the job paused.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Set any other field; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a job from options, or from a file and options.

    Options override the file.

    - `scheduler jobs create --name pi --schedule 5m --python 'print(3.14)'`
    - `scheduler jobs create --name primes --schedule @daily --crunch prime_numbers limit=1000`
    - `scheduler jobs create --name disk --schedule '0 * * * *' --program -- df -h /`
    """
    typed = {
        "name": name,
        "schedule_expr": schedule,
        "timezone": timezone,
        "payload": PayloadChoice(python, shell, crunch, program, words or ()).document(),
        "tags": tag,
        "env": read_variables(env) if env else None,
        "files": read_files(with_file) if with_file else None,
        "secrets": read_variables(secret) if secret else None,
        "timeout_seconds": timeout,
        "enabled": False if paused else None,
    }
    document = read_document(file) if file else {}
    document |= {field: value for field, value in typed.items() if value is not None}
    if on_demand:
        if schedule is not None:
            raise RefusedError(FieldProblem("schedule_expr", "write either --schedule or --on-demand"))
        document["schedule_expr"] = None
    if retries is not None:
        document = merged(document, {"retry_policy": {"max_retries": retries}})
    document = merged(document, read_fields(settings or ()))
    _announce("Created", client.post("jobs", document), as_json)


@app.command("edit")
@with_client
def edit_job(
    client: Client,
    job: JobId,
    fields: ChangedFields = None,
    *,
    file: ChangesFile = None,
    as_json: AsJson = False,
) -> None:
    """Change fields of a job.

    Example: `scheduler jobs edit 7 schedule_expr=10m limits.memory_mb=128 env.LEVEL=3`
    """
    changes = read_changes(file, fields, "schedule_expr=10m")
    _announce("Changed", client.patch(f"jobs/{job}", changes), as_json)


@app.command("pause")
@with_client
def pause_job(
    client: Client,
    job: JobId,
    *,
    reason: Annotated[str | None, typer.Option(help="Say why; the job shows it.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Resume at this instant. Default: when it is resumed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Pause a job. Its schedule does not fire until it is resumed."""
    given = {name: value for name, value in (("reason", reason), ("until", until)) if value is not None}
    _announce("Paused", client.post(f"jobs/{job}/pause", given or None), as_json)


@app.command("resume")
@with_client
def resume_job(client: Client, job: JobId, *, as_json: AsJson = False) -> None:
    """Resume a paused job. Its schedule fires again from now on."""
    _announce("Resumed", client.post(f"jobs/{job}/resume"), as_json)


@app.command("run")
@with_client
def run_job(
    client: Client,
    job: JobId,
    *,
    arg: Annotated[
        list[str] | None, typer.Option("--arg", metavar="NAME=VALUE", help="Set an argument of this run; repeatable.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Set a variable of this run; repeatable.")
    ] = None,
    ignore_overlap: Annotated[
        bool, typer.Option("--ignore-overlap", help="Queue the run even if the job is busy.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Follow the log, and exit with the run's exit code.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a job now, even if it is paused.

    Values of --arg are JSON or text; those of --env are text. Both are added to those of the job and win over them.
    With --wait and --json, the command writes only the run when it has ended; the log is a field of the run.
    """
    request = {"args": read_arguments(arg or ()), "env": read_variables(env or ()), "ignore_overlap": ignore_overlap}
    run = client.post(f"jobs/{job}/run", {name: value for name, value in request.items() if value})
    if wait:
        raise typer.Exit(wait_for(client, run["id"], as_json=as_json))
    show_run_state(run, as_json)


@app.command("delete")
@with_client
def delete_job(
    client: Client,
    job: JobId,
    *,
    yes: Yes = False,
) -> None:
    """Delete a job; its ended runs are kept.

    Queued runs are cancelled and running ones are asked to stop. Ended runs are kept for SCHEDULER_RETENTION_DAYS
    (default 30). On a terminal, the command asks first.
    """
    if not yes:
        confirm_deletion(client, f"jobs/{job}", f"job {job}")
    client.delete(f"jobs/{job}")
    render.line(f"Deleted job {job}.")


def _show(job: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 (says which of two forms)
    if as_json:
        render.show_json(job)
        return
    pairs = {name: value for name, value in job.items() if name not in {"payload", "warnings"}}
    pairs |= {f"payload.{name}": value for name, value in job["payload"].items()}
    render.show_pairs(pairs)
    render.show_warnings(job["warnings"])


def _announce(done: str, job: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 (says which of two forms)
    if as_json:
        render.show_json(job)
        return
    upcoming = f", next run {render.instant(job['next_run_at'])}" if job["next_run_at"] else ""
    render.line(f"{done} job {job['id']} ({job['name']}){upcoming}.")
    render.show_warnings(job["warnings"])
