"""`scheduler secrets …`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.documents import refusal
from scheduler_service.console.options import AsJson, Owner, Wide

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Set, list and delete secrets of jobs.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the secret.")]


@app.command("set")
@with_client
def set_secret(client: Client, name: Name, *, owner: Owner = None) -> None:
    """Set a secret to the text on standard input.

    A line end at the end of the text is left out.

    Example: `scheduler secrets set warehouse-password < password.txt`
    """
    is_new = client.put(f"secrets/{name}", {"value": _read_value()}, owner_id=owner)
    render.line(f"{'Created' if is_new else 'Replaced'} the secret {name}.")


@app.command("list")
@with_client
def list_secrets(client: Client, *, owner: Owner = None, wide: Wide = False, as_json: AsJson = False) -> None:
    """List secrets, without their values."""
    answer = client.get("secrets", owner_id=owner)
    if as_json:
        render.show_json(answer)
        return
    columns = ("NAME", "OWNER", "KEY", "UPDATED", "LAST USED")
    rows = [
        (each["name"], each["owner_id"] or "-", each["key_id"], each["updated_at"], each["last_used_at"] or "-")
        for each in answer["secrets"]
    ]
    render.show_table(columns, rows, optional=("KEY", "UPDATED"), wide=wide)


@app.command("delete")
@with_client
def delete_secret(client: Client, name: Name, *, owner: Owner = None) -> None:
    """Delete a secret. Later runs of jobs that use it fail."""
    client.delete(f"secrets/{name}", owner_id=owner)
    render.line(f"Deleted the secret {name}.")


@app.command("rotate-key")
@with_client
def rotate_key(client: Client, *, as_json: AsJson = False) -> None:
    """Encrypt all secrets with the newest key.

    It is the first one in SCHEDULER_SECRETS_KEY.
    """
    answer = client.post("secrets/rotate-key")
    if as_json:
        render.show_json(answer)
        return
    render.line(f"Encrypted {answer['reencrypted']} secrets with the key {answer['key_id']}.")


def _read_value() -> str:
    if sys.stdin.isatty():
        render.note("Type the secret, then Ctrl-D on a line of its own.")
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise refusal("standard input", "is not UTF-8 text; encode it, for example in base64") from None
    return text.removesuffix("\n").removesuffix("\r")
