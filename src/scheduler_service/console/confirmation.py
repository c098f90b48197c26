"""Asks before a command deletes something."""

from __future__ import annotations

import sys

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.exit_codes import ExitCode
from scheduler_service.telemetry.terminal_text import printable


def confirm_deletion(client: Client, path: str, what: str) -> None:
    """Ask on a terminal whether to delete the object at a path of the API, by its name; elsewhere, ask nothing.

    Raise `typer.Exit` with the exit code for a failure if the answer is no.
    """
    if not sys.stdin.isatty():
        return
    name = client.get(path)["name"]
    if not typer.confirm(f"Delete {what} ({printable(name)})?", err=True):
        render.note("Nothing was deleted.")
        raise typer.Exit(ExitCode.FAILED)
