"""`scheduler workers …`."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.options import AsJson, Wide

app = typer.Typer(invoke_without_command=True, rich_markup_mode="markdown", help="Show workers, and drain them.")

WorkerId = Annotated[str, typer.Argument(metavar="WORKER", help="Id of the worker.")]


@app.callback()
def show_workers(context: typer.Context) -> None:
    """Show the workers and what each executes, or drain one."""
    if context.invoked_subcommand is None:
        listing = cast("TyperGroup", context.command).commands["list"]
        with listing.make_context("list", [], parent=context) as begun:
            listing.invoke(begun)


@app.command("list")
@with_client
def list_workers(client: Client, *, wide: Wide = False, as_json: AsJson = False) -> None:
    """Show the workers and what each executes."""
    answer = client.get("workers")
    if as_json:
        render.show_json(answer)
        return
    columns = ("ID", "STATE", "BUSY", "RUNS", "LEVEL", "HEARTBEAT", "TAGS", "GRANTS")
    rows = [_row(worker) for worker in answer["workers"]]
    render.show_table(columns, rows, optional=("GRANTS", "TAGS", "LEVEL", "RUNS"), wide=wide)


@app.command("drain")
@with_client
def drain_worker(client: Client, worker: WorkerId, *, as_json: AsJson = False) -> None:
    """Drain a worker: it finishes its runs and takes no more."""
    drained = client.post(f"workers/{worker}/drain")
    if as_json:
        render.show_json(drained)
    else:
        render.line(f"Worker {drained['id']} takes no more runs; {len(drained['runs'])} of its runs go on.")


def _row(worker: dict[str, Any]) -> tuple[str, ...]:
    return (
        worker["id"],
        worker["state"],
        f"{worker['busy']}/{worker['slots']}",
        " ".join(str(run["run_id"]) for run in worker["runs"]) or "-",
        worker["sandbox_level"] or "-",
        f"{worker['heartbeat_age_seconds']:.1f} s ago",
        " ".join(worker["tags"]) or "-",
        " ".join(worker["grants"]) or "-",
    )
