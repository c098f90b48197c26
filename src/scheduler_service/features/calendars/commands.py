"""`scheduler calendars …`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.connection import with_client
from scheduler_service.console.documents import read_document, read_text
from scheduler_service.console.options import AsJson, Owner, Wide

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Set, list and delete calendars of jobs.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the calendar.")]


@app.command("set")
@with_client
def set_calendar(
    client: Client,
    name: Name,
    *,
    date: Annotated[
        list[str] | None, typer.Option(metavar="DAY", help="Add a day such as 2026-12-24; repeatable.")
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(metavar="RRULE", help="Add a rule such as FREQ=MONTHLY;BYDAY=-1FR; repeatable.")
    ] = None,
    holidays: Annotated[
        list[str] | None, typer.Option(metavar="PLACE", help="Add public holidays: DE or DE-BY; repeatable.")
    ] = None,
    ical: Annotated[str | None, typer.Option(metavar="FILE", help="Add the events of this iCalendar file.")] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="Read the calendar from this JSON file; - is standard input.")
    ] = None,
    owner: Owner = None,
) -> None:
    """Create a calendar, or replace its days.

    Example: `scheduler calendars set plant-closed --holidays DE-BY --date 2026-12-24`
    """
    document: dict[str, Any] = read_document(file) if file else {}
    given = {
        "dates": date,
        "rules": [{"rrule": each} for each in rule or ()],
        "holidays": [_place(each) for each in holidays or ()],
        "ical": read_text(f"@{ical}") if ical else None,
    }
    document |= {field: value for field, value in given.items() if value}
    is_new = client.put(f"calendars/{name}", document, owner_id=owner)
    render.line(f"{'Created' if is_new else 'Replaced'} the calendar {name}.")


@app.command("list")
@with_client
def list_calendars(client: Client, *, owner: Owner = None, wide: Wide = False, as_json: AsJson = False) -> None:
    """List calendars.

    Built-in ones, such as business-days, are not listed.
    """
    answer = client.get("calendars", owner_id=owner)
    if as_json:
        render.show_json(answer)
        return
    columns = ("NAME", "OWNER", "DATES", "RULES", "HOLIDAYS", "UPDATED")
    rows = [
        (
            each["name"],
            each["owner_id"] or "-",
            len(each["dates"]),
            len(each["rules"]),
            ", ".join(filter(None, map(_place_text, each["holidays"]))) or "-",
            each["updated_at"],
        )
        for each in answer["calendars"]
    ]
    render.show_table(columns, rows, optional=("UPDATED", "OWNER"), wide=wide)


@app.command("days")
@with_client
def list_days(
    client: Client,
    name: Name,
    *,
    year: Annotated[int | None, typer.Option(help="Choose the year. Default: the present one.")] = None,
    owner: Owner = None,
    as_json: AsJson = False,
) -> None:
    """List the days of a calendar in one year.

    Built-in calendars work as well.

    Example: `scheduler calendars days de-BY-holidays --year 2027`
    """
    answer = client.get(f"calendars/{name}/days", year=year, owner_id=owner)
    if as_json:
        render.show_json(answer)
        return
    for day in answer["days"]:
        render.line(day)


@app.command("delete")
@with_client
def delete_calendar(client: Client, name: Name, *, owner: Owner = None) -> None:
    """Delete a calendar that no job names."""
    client.delete(f"calendars/{name}", owner_id=owner)
    render.line(f"Deleted the calendar {name}.")


def _place(text: str) -> dict[str, str | None]:
    country, _, subdivision = text.partition("-")
    return {"country": country.upper(), "subdivision": subdivision or None}


def _place_text(place: dict[str, str | None]) -> str:
    return "-".join(filter(None, (place["country"], place["subdivision"])))
