"""`scheduler environments …`."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.options import AsJson, Wide

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="List and show the packages of jobs.")

_MIB = 1 << 20


@app.command("list")
@with_client
def list_environments(client: Client, *, wide: Wide = False, as_json: AsJson = False) -> None:
    """List the environments that jobs were locked to."""
    answer = client.get("environments")
    if as_json:
        render.show_json(answer)
        return
    columns = ("ID", "STATE", "SIZE", "REQUIREMENTS", "PACKAGES")
    rows = [
        (
            each["id"],
            each["state"],
            _size(each["size_bytes"]),
            ", ".join(each["requirements"]),
            str(len(each["packages"])),
        )
        for each in answer["environments"]
    ]
    render.show_table(columns, rows, optional=("PACKAGES", "SIZE"), wide=wide)


@app.command("show")
@with_client
def show_environment(
    client: Client,
    environment_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the environment.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one environment and the log of its latest build."""
    answer = client.get(f"environments/{environment_id}")
    if as_json:
        render.show_json(answer)
        return
    shown = {key: ", ".join(answer[key]) for key in ("requirements", "packages")}
    render.show_pairs({"id": answer["id"], "state": answer["state"], "size": _size(answer["size_bytes"]), **shown})
    render.line(answer["log"].rstrip("\n"))


def _size(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else f"{size_bytes / _MIB:.0f} MiB"
