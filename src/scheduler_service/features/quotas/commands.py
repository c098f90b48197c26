"""`scheduler quotas …`."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.options import AsJson

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Show and set the quotas of owners.")

Owner = Annotated[str, typer.Argument(metavar="OWNER", help="The owner.")]


@app.command("show")
@with_client
def show_quotas(
    client: Client,
    owner: Annotated[
        str | None, typer.Argument(metavar="[OWNER]", help="The owner. Default: the owner of the key.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what an owner may use, and what it uses."""
    _show(client.get("quotas" if owner is None else _path(owner)), as_json=as_json)


@app.command("set")
@with_client
def set_quotas(  # noqa: PLR0913 (one for each option)
    client: Client,
    owner: Owner,
    *,
    jobs: Annotated[int | None, typer.Option(min=0, help="Allow so many jobs; 0: any number.")] = None,
    min_interval: Annotated[
        int | None, typer.Option(metavar="SECONDS", min=0, help="Allow no shorter interval; 0: any.")
    ] = None,
    runs_per_minute: Annotated[
        int | None, typer.Option(min=0, help="Allow so many runs in a minute; 0: any number.")
    ] = None,
    concurrent_runs: Annotated[int | None, typer.Option(min=0, help="Execute so many at once; 0: any number.")] = None,
    environments: Annotated[int | None, typer.Option(min=0, help="Allow so many environments; 0: any number.")] = None,
    stored_mb: Annotated[
        int | None, typer.Option(metavar="MB", min=0, help="Queue no run above so many logs and artifacts; 0: any.")
    ] = None,
    weight: Annotated[int | None, typer.Option(min=1, max=100, help="Give so large a share of the slots.")] = None,
    as_json: AsJson = False,
) -> None:
    """Set quotas of an owner, and keep those not named.

    Example: `scheduler quotas set math_team --jobs 200 --concurrent-runs 4`
    """
    named = {
        "jobs": jobs,
        "min_interval_seconds": min_interval,
        "runs_per_minute": runs_per_minute,
        "concurrent_runs": concurrent_runs,
        "environments": environments,
        "stored_mb": stored_mb,
        "weight": weight,
    }
    own = client.get(_path(owner))["own"] or {}
    document = {**own, **{name: value for name, value in named.items() if value is not None}}
    client.put(_path(owner), document)
    _show(client.get(_path(owner)), as_json=as_json)


@app.command("unset")
@with_client
def unset_quotas(client: Client, owner: Owner) -> None:
    """Remove the quotas of an owner; the defaults then hold."""
    client.delete(_path(owner))
    render.line(f"The defaults hold for {owner}.")


def _path(owner: str) -> str:
    return f"owners/{quote(owner, safe='')}/quotas"


def _show(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        render.show_json(answer)
        return
    rows = [
        (name, _text(each["used"], "-"), _text(each["allowed"], "no limit")) for name, each in answer["quotas"].items()
    ]
    render.show_table(("QUOTA", "USED", "ALLOWED"), [*rows, ("weight", "-", str(answer["weight"]))])


def _text(value: int | None, nothing: str) -> str:
    return nothing if value is None else str(value)
