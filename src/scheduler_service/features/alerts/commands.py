"""`scheduler alerts …`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.confirmation import confirm_deletion
from scheduler_service.console.connection import with_client
from scheduler_service.console.documents import merged, read_changes, read_document, read_fields
from scheduler_service.console.job_names import NAMES_A_JOB
from scheduler_service.console.options import AsJson, ChangedFields, ChangesFile, Wide, Yes

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="List, create, change, test and delete alert rules."
)

RuleId = Annotated[int, typer.Argument(metavar="RULE", min=1, help="Id of the alert rule.")]


@app.command("list")
@with_client
def list_rules(client: Client, *, wide: Wide = False, as_json: AsJson = False) -> None:
    """List alert rules."""
    answer = client.get("alerts")
    if as_json:
        render.show_json(answer)
        return
    columns = ("ID", "NAME", "ON", "CHANNEL", "JOB", "OWNER", "ENABLED")
    render.show_table(columns, map(_row, answer["alerts"]), optional=("OWNER", "JOB"), wide=wide)


@app.command("show")
@with_client
def show_rule(client: Client, rule: RuleId, *, as_json: AsJson = False) -> None:
    """Show one alert rule, without its secrets."""
    answer = client.get(f"alerts/{rule}")
    if as_json:
        render.show_json(answer)
        return
    pairs = {name: value for name, value in answer.items() if name not in {"on", "channel", "warnings"}}
    channel = {f"channel.{name}": value for name, value in answer["channel"].items()}
    render.show_pairs({**pairs, "on": ", ".join(answer["on"]), **channel})
    render.show_warnings(answer["warnings"])


@app.command("create")
@with_client
def create_rule(
    client: Client,
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FIELD=VALUE", help="Fields of the rule (channel.type=webhook); values are JSON or text."
        ),
    ] = None,
    *,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="Read the rule from this JSON file; - is standard input.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Name the rule.")] = None,
    on: Annotated[list[str] | None, typer.Option(help="Alert on this event, such as failure; repeatable.")] = None,
    job: Annotated[
        str | None,
        typer.Option(metavar="JOB", help="Alert only about this job. Default: all jobs."),
        NAMES_A_JOB,
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Alert only about jobs of this owner_id.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create an alert rule from options, a file, or both.

    Options override the file.

    - `scheduler alerts create --name team --on failure channel.type=webhook channel.url=https://example.org/alerts`
    - `scheduler alerts create --name ops --on missed --on late channel.type=email channel.to='["ops@example.org"]'`
    """
    typed = {"name": name, "on": on, "job_id": job and int(job), "owner_id": owner}
    document = read_document(file) if file else {}
    document |= {field: value for field, value in typed.items() if value is not None}
    _announce("Created", client.post("alerts", merged(document, read_fields(fields or ()))), as_json)


@app.command("update")
@with_client
def update_rule(
    client: Client,
    rule: RuleId,
    fields: ChangedFields = None,
    *,
    file: ChangesFile = None,
    as_json: AsJson = False,
) -> None:
    """Change fields of an alert rule.

    Example: `scheduler alerts update 3 enabled=false`. A new channel replaces the old one completely.
    """
    changes = read_changes(file, fields, "enabled=false")
    _announce("Changed", client.patch(f"alerts/{rule}", changes), as_json)


@app.command("delete")
@with_client
def delete_rule(
    client: Client,
    rule: RuleId,
    *,
    yes: Yes = False,
) -> None:
    """Delete an alert rule and its deliveries.

    On a terminal, the command asks first.
    """
    if not yes:
        confirm_deletion(client, f"alerts/{rule}", f"alert rule {rule}")
    client.delete(f"alerts/{rule}")
    render.line(f"Deleted alert rule {rule}.")


@app.command("deliveries")
@with_client
def list_deliveries(client: Client, rule: RuleId, *, wide: Wide = False, as_json: AsJson = False) -> None:
    """List the latest deliveries of an alert rule."""
    answer = client.get(f"alerts/{rule}/deliveries")
    if as_json:
        render.show_json(answer)
        return
    columns = ("ID", "KIND", "JOB", "RUN", "STATUS", "TRIES", "CREATED", "ERROR")
    rows = [_delivery_row(delivery, wide=wide) for delivery in answer["deliveries"]]
    render.show_table(columns, rows, optional=("JOB", "CREATED"), wide=wide)


@app.command("test")
@with_client
def send_test(client: Client, rule: RuleId, *, as_json: AsJson = False) -> None:
    """Send a test by the channel of an alert rule."""
    delivery = client.post(f"alerts/{rule}/test")
    if as_json:
        render.show_json(delivery)
        return
    render.line(f"Created delivery {delivery['id']}; `scheduler alerts deliveries {rule}` shows whether it arrives.")


def _announce(done: str, rule: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 (says which of two forms)
    if as_json:
        render.show_json(rule)
        return
    render.line(f"{done} alert rule {rule['id']} ({rule['name']}).")
    render.show_warnings(rule["warnings"])


def _row(rule: dict[str, Any]) -> tuple[Any, ...]:
    channel = rule["channel"]
    receiver = channel.get("url") or ", ".join(channel.get("to", ()))
    return (
        rule["id"],
        rule["name"],
        ", ".join(rule["on"]),
        f"{channel['type']} {receiver}".rstrip(),
        rule["job_id"],
        rule["owner_id"],
        rule["enabled"],
    )


def _delivery_row(delivery: dict[str, Any], *, wide: bool) -> tuple[Any, ...]:
    return (
        delivery["id"],
        delivery["kind"],
        delivery["job_id"],
        delivery["run_id"],
        delivery["status"],
        delivery["tries"],
        render.instant(delivery["created_at"], short=not wide),
        delivery["error"],
    )
