"""The commands `scheduler jobs versions` and `scheduler jobs restore`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.options import AsJson, JobId

Number = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Number of the version.")]


@with_client
def list_versions(
    client: Client,
    job: JobId,
    number: Annotated[
        int | None,
        typer.Argument(metavar="[VERSION]", min=1, help="Show what this version changed. Default: list all."),
    ] = None,
    *,
    size: Annotated[int, typer.Option("--size", min=1, max=100, help="Show this many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the versions of a job: who changed what, and when."""
    if number is not None:
        _show_version(client.get(f"jobs/{job}/versions/{number}"), as_json=as_json)
        return
    answer = client.get(f"jobs/{job}/versions", size=size)
    if as_json:
        render.show_json(answer)
        return
    rows = [
        (
            each["version"],
            render.instant(each["created_at"]),
            _author(each),
            each["operation"],
            ", ".join(each["changed"]),
        )
        for each in answer["versions"]
    ]
    render.show_table(("VERSION", "SINCE", "BY", "OPERATION", "CHANGED"), rows, optional=("OPERATION",))


@with_client
def restore_version(client: Client, job: JobId, number: Number, *, as_json: AsJson = False) -> None:
    """Restore the definition of an earlier version.

    That makes a new version. A paused job stays paused.
    """
    answer = client.post(f"jobs/{job}/versions/{number}/restore")
    if as_json:
        render.show_json(answer)
        return
    render.line(f"Restored version {number} of job {job}, as version {answer['version']}.")
    render.show_warnings(answer["warnings"])


def _show_version(version: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        render.show_json(version)
        return
    shown = {"version": version["version"], "since": render.instant(version["created_at"]), "by": _author(version)}
    render.show_pairs({**shown, "operation": version["operation"]})
    if version["changes"] is None:
        render.line("The version before is not kept.")
    for name, change in (version["changes"] or {}).items():
        render.show_pairs({f"{name} before": change["before"], f"{name} after": change["after"]})


def _author(version: Mapping[str, Any]) -> str | None:
    who: str | None = version["caller_owner_id"] or version["key_id"]
    return who
