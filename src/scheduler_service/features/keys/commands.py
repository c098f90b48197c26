"""`scheduler keys …`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.options import AsJson, Wide

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Create, list, rotate and revoke API keys.")

KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Id of the key: the part after sk_.")]


@app.command("create")
@with_client
def create_key(
    client: Client,
    *,
    owner: Annotated[str | None, typer.Option(help="Let the key reach the objects of this owner.")] = None,
    name: Annotated[str, typer.Option("--name", "-n", help="Name the key.")] = "key",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Allow this: read, write, run or admin; repeatable. Default: all but admin."),
    ] = None,
    expires_at: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="End at this instant. Default: never.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key and show it once.

    Example: `scheduler keys create --owner math_team --scope read --scope run`
    """
    document: dict[str, Any] = {"owner_id": owner, "name": name, "expires_at": expires_at}
    if scope:
        document["scopes"] = scope
    _show_new(client.post("keys", document), as_json=as_json)


@app.command("list")
@with_client
def list_keys(client: Client, *, wide: Wide = False, as_json: AsJson = False) -> None:
    """List all API keys, without their secrets."""
    answer = client.get("keys")
    if as_json:
        render.show_json(answer)
        return
    columns = ("ID", "NAME", "OWNER", "SCOPES", "STATUS", "LAST USED", "EXPIRES")
    rows = [
        (
            key["id"],
            key["name"],
            key["owner_id"] or "every owner",
            " ".join(key["scopes"]),
            key["status"],
            key["last_used_at"] or "-",
            key["expires_at"] or "-",
        )
        for key in answer["keys"]
    ]
    render.show_table(columns, rows, optional=("EXPIRES", "LAST USED"), wide=wide)


@app.command("rotate")
@with_client
def rotate_key(
    client: Client,
    key: KeyId,
    *,
    overlap: Annotated[
        int, typer.Option(metavar="SECONDS", min=0, help="Keep the old key for so many seconds. Default: 3600.")
    ] = 3600,
    as_json: AsJson = False,
) -> None:
    """Replace an API key by a new one with the same rights."""
    _show_new(client.post(f"keys/{key}/rotate", {"overlap_seconds": overlap}), as_json=as_json)


@app.command("revoke")
@with_client
def revoke_key(client: Client, key: KeyId) -> None:
    """Revoke an API key for good."""
    client.delete(f"keys/{key}")
    render.line(f"Revoked the key {key}.")


def _show_new(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        render.show_json(answer)
        return
    render.line(answer["key"])
    render.note("Store this key now: it is not shown again.")
