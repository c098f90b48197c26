"""The command `scheduler`: its subcommands, and the handling of all errors."""

from __future__ import annotations

import errno
import io
import sys
from typing import Annotated

from scheduler_service.startup import without_gc

with without_gc():
    import typer

    from scheduler_service.cli import backfill, explain, job_versions, jobs, runs
    from scheduler_service.cli.backup import backup, restore
    from scheduler_service.cli.doctor import doctor
    from scheduler_service.cli.migrate import migrate
    from scheduler_service.cli.next_command import show_next
    from scheduler_service.cli.roles import api, beat, flower, worker
    from scheduler_service.cli.status import show_stats, show_status
    from scheduler_service.cli.up import up
    from scheduler_service.console import render
    from scheduler_service.console.exit_codes import ExitCode, RefusedError, drop_output, print_error, print_usage_error
    from scheduler_service.errors import FieldProblem, SchedulerError
    from scheduler_service.features.registry import FEATURES
    from scheduler_service.version import version

_UNWRITABLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

app = typer.Typer(
    name="scheduler",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # wraps paragraphs to the terminal's width
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("up")(up)
app.command("api")(api)
app.command("worker")(worker)
app.command("beat")(beat)
app.command("flower")(flower)
app.command("migrate")(migrate)
app.command("backup")(backup)
app.command("restore")(restore)
app.command("doctor")(doctor)
app.command("next")(show_next)
app.command("status")(show_status)
app.command("stats")(show_stats)
jobs.app.command("explain")(explain.explain_job)
jobs.app.command("backfill")(backfill.backfill_job)
jobs.app.command("versions")(job_versions.list_versions)
jobs.app.command("restore")(job_versions.restore_version)
app.add_typer(jobs.app, name="jobs")
app.add_typer(runs.app, name="runs")
for _feature in FEATURES:
    _feature.add_commands(app)
    if (_group := _feature.command_group()) is not None:
        app.add_typer(_group, name=_feature.name)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 (what the option gives)
    if wanted:
        render.line(f"scheduler {version()}")
        raise typer.Exit


@app.callback()
def scheduler(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Run jobs on schedule and account for every instant.

    Exit codes:

    - 0: success
    - 1: a run failed without an exit code, or the output could not be written
    - 2: wrong usage, an invalid setting, or the service refused the request
    - 3: the service does not answer
    - 130: Ctrl-C, or the run was cancelled

    `jobs run --wait` exits with the exit code of the run, with 128 + the number of the signal that ended it, or with
    124 if it exceeded its timeout.
    """


def main() -> None:
    """Run the command line. An error that the user can fix is one line, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # never fail on a missing character
    try:
        _check_arguments_are_text(sys.argv[1:])
        _run()
    except SchedulerError as error:
        sys.exit(print_error(error))
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        drop_output()
        if error.errno != errno.EPIPE:  # the reader closed the pipe
            sys.stderr.write(f"scheduler: cannot write: {error.strerror}\n")
        sys.exit(ExitCode.FAILED)


def _run() -> None:
    try:
        code: int | None = app(standalone_mode=False)  # errors are handled below
        sys.exit(code or ExitCode.SUCCESS)
    except typer.TyperException as error:
        sys.exit(print_usage_error(error))
    except typer.Abort:  # Ctrl-C or end of input at a prompt
        sys.exit(ExitCode.INTERRUPTED)
    finally:
        sys.stdout.flush()  # flush here, so that a failure can be reported


def _check_arguments_are_text(arguments: list[str]) -> None:
    # Python represents bytes that are not UTF-8 as lone surrogates, which no request can contain.
    for argument in arguments:
        if any("\ud800" <= char <= "\udfff" for char in argument):
            raise RefusedError(FieldProblem("", "an argument is not UTF-8; write it in UTF-8", argument))
