"""`scheduler grants …`."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.options import AsJson, Wide

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="List and show what jobs may be granted.")


@app.command("list")
@with_client
def list_grants(client: Client, *, wide: Wide = False, as_json: AsJson = False) -> None:
    """List the grants that jobs may ask for."""
    answer = client.get("grants")
    if as_json:
        render.show_json(answer)
        return
    columns = ("NAME", "READ", "WRITE", "CONNECT", "SOCKETS", "WORKERS", "DESCRIPTION")
    rows = [
        (
            grant["name"],
            *(", ".join(grant[key]) or "-" for key in ("read", "write", "connect", "sockets")),
            str(len(grant["workers"])),
            grant["description"],
        )
        for grant in answer["grants"]
    ]
    render.show_table(columns, rows, optional=("DESCRIPTION", "SOCKETS"), wide=wide)


@app.command("show")
@with_client
def show_grant(
    client: Client,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the grant.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one grant and the workers that hold it."""
    answer = client.get(f"grants/{name}")
    if as_json:
        render.show_json(answer)
        return
    lists = {key: ", ".join(answer[key]) for key in ("read", "write", "connect", "sockets", "workers") if answer[key]}
    owners = "every owner" if answer["owners"] is None else ", ".join(answer["owners"])
    render.show_pairs({"name": answer["name"], "description": answer["description"], **lists, "owners": owners})
