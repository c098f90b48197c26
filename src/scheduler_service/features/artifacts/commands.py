"""`scheduler runs artifacts`."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.documents import refusal
from scheduler_service.console.options import AsJson, RunId, Wide


@with_client
def artifacts_of_run(
    client: Client,
    run: RunId,
    *,
    download: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Download this artifact; repeatable.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Download all artifacts.")] = False,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Write them below this directory. Default: here.")] = Path(),
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List the files that a run left, or download them."""
    answer = client.get(f"runs/{run}/artifacts")
    artifacts: list[dict[str, Any]] = answer["artifacts"]
    if every or download:
        known = [artifact["name"] for artifact in artifacts]
        if unknown := [name for name in download or () if name not in known]:
            raise refusal("--download", f"run {run} has no artifact {unknown[0]!r}; without options, all are listed")
        for name in known if every else download or ():
            render.line(str(_download(client, run, name, to)))
        return
    if as_json:
        render.show_json(answer)
        return
    rows = [(each["name"], each["size"], each["media_type"], each["sha256"]) for each in artifacts]
    render.show_table(("NAME", "BYTES", "TYPE", "SHA-256"), rows, optional=("SHA-256", "TYPE"), wide=wide)


def _download(client: Client, run: int, name: str, to: Path) -> Path:
    """Write one artifact, and return its path."""
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts:  # no service sends this; another server may
        raise refusal("--download", f"the name {name!r} leads out of the directory")
    path = to / relative
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(client.read(f"runs/{run}/artifacts/{quote(name)}"))
    except OSError as error:
        raise refusal("--to", f"{path} cannot be written: {error.strerror}") from None
    return path
