"""`scheduler import …`, one command for each importer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from scheduler_service.console import render
from scheduler_service.console.documents import read_text
from scheduler_service.console.exit_codes import RefusedError
from scheduler_service.console.options import AsJson
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.features.apply.file_names import write_files
from scheduler_service.features.apply.importers.imported import Imported, Options
from scheduler_service.features.apply.importers.registry import IMPORTERS, Importer
from scheduler_service.features.apply.references import escaped

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Write job files from those of others.")

File = Annotated[str, typer.Argument(metavar="FILE", help="File to import; - is standard input.")]
Output = Annotated[
    str, typer.Option("--output", "-o", metavar="DIR", help="Write a file for each job; - is standard output.")
]
Zone = Annotated[str | None, typer.Option("--timezone", "-z", help="Zone of schedules that name none. Default: UTC.")]
HasUsers = Annotated[
    bool | None,
    typer.Option("--user-field/--no-user-field", help="crontab: each line has a user or not. Default: guessed."),
]
App = Annotated[str | None, typer.Option("--app", help="celery: the application, as for `celery --app`.")]


def _command(importer: Importer) -> Callable[..., None]:
    def run(
        file: File,
        *,
        output: Output = "-",
        timezone: Zone = None,
        user_field: HasUsers = None,
        celery_app: App = None,
        as_json: AsJson = False,
    ) -> None:
        text = read_text(f"@{file}")
        name = "stdin" if file == "-" else Path(file).name
        try:
            imported = importer.imported(text, name, Options(timezone, celery_app, user_field))
        except InvalidInputError as error:
            raise RefusedError(*(FieldProblem(file, each.message) for each in error.problems)) from None
        _show(imported, output, as_json=as_json)

    run.__doc__ = (
        f"Write job files from {importer.reads}.\n\n"
        "Every difference in meaning is a line on standard error. Nothing is sent to the service: check the files, and "
        "apply them."
    )
    return run


def _show(imported: Imported, output: str, *, as_json: bool) -> None:
    documents = [escaped(document) for document in imported.documents]
    if as_json:
        notes = [{"about": note.about, "text": note.text} for note in imported.notes]
        render.show_json({"documents": documents, "notes": notes})
        return
    for note in imported.notes:
        render.note(f"{note.about}: {note.text}" if note.about else f"note: {note.text}")
    write_files(documents, output)


for _name, _importer in IMPORTERS.items():
    app.command(_name)(_command(_importer))
