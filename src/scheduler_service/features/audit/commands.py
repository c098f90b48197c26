"""`scheduler audit`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.options import AsJson, Wide

app = typer.Typer(invoke_without_command=True, rich_markup_mode="markdown", help="Show who changed what.")


@app.callback()
@with_client
def list_entries(  # noqa: PLR0913 (one for each option)
    client: Client,
    *,
    key: Annotated[str | None, typer.Option(help="Show only operations with this key.")] = None,
    owner: Annotated[str | None, typer.Option(help="Show only operations on objects of this owner.")] = None,
    operation: Annotated[str | None, typer.Option(help="Show only this operation, such as deleteJob.")] = None,
    of_object: Annotated[str | None, typer.Option("--object", help="Show only this object, such as jobs/7.")] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Show only refused attempts.")] = False,
    since: Annotated[str | None, typer.Option(metavar="INSTANT", help="Show only entries since this instant.")] = None,
    before: Annotated[int | None, typer.Option(metavar="ID", help="Show only older entries than this one.")] = None,
    size: Annotated[int, typer.Option(min=1, max=100, help="Show this many. Default: 20.")] = 20,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, the newest first.

    Example: `scheduler audit --object jobs/7`
    """
    outcome = "refused" if refused else None
    filters = {"key_id": key, "owner_id": owner, "operation": operation, "object": of_object, "outcome": outcome}
    answer = client.get("audit", **filters, since=since, before=before, size=size)
    if as_json:
        render.show_json(answer)
        return
    columns = ("ID", "AT", "KEY", "ADDRESS", "OPERATION", "OBJECT", "CHANGES")
    render.show_table(columns, [_row(entry) for entry in answer["entries"]], optional=("CHANGES", "ADDRESS"), wide=wide)


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    operation = entry["operation"] if entry["outcome"] == "done" else f"{entry['operation']} (refused)"
    changes = json.dumps(entry["changes"], ensure_ascii=False) if entry["changes"] else "-"
    return (
        str(entry["id"]),
        entry["at"],
        entry["key_id"] or "-",
        entry["address"] or "-",
        operation,
        entry["object"] or "-",
        changes,
    )
