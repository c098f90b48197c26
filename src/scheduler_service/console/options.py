"""Options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler_service.console.job_names import NAMES_A_JOB

AsJson = Annotated[bool, typer.Option("--json", help="Write the answer as JSON.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id, external key or name of the job."), NAMES_A_JOB]
RunId = Annotated[int, typer.Argument(metavar="RUN", min=1, help="Id of the run.")]
Page = Annotated[int, typer.Option("--page", min=1, help="Show this page of the list.")]
Size = Annotated[int, typer.Option("--size", min=1, help="Show this many on a page.")]
Wide = Annotated[bool, typer.Option("--wide", help="Show every column and cell, even if lines do not fit.")]
Owner = Annotated[str | None, typer.Option("--owner", help="Name the owner. Default: that of the API key.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")]
ChangedFields = Annotated[
    list[str] | None,
    typer.Argument(metavar="FIELD=VALUE", help="Values are JSON or text; null resets a field to its default."),
]
ChangesFile = Annotated[
    str | None, typer.Option("--file", "-f", help="Read the changes from this JSON file; - is standard input.")
]
