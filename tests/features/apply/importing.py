"""Steps that tests of importers share."""

from __future__ import annotations

from typing import Any

from scheduler_service.features.apply.importers.imported import Imported, Options
from scheduler_service.features.apply.importers.registry import IMPORTERS
from scheduler_service.services.job_definition import JobDefinition


def imported(kind: str, text: str, **options: Any) -> Imported:
    found = IMPORTERS[kind].imported(text, "file", Options(**options))
    for document in found.documents:
        JobDefinition.model_validate(document)
    return found


def only(found: Imported) -> dict[str, Any]:
    (document,) = found.documents
    return document


def notes_of(found: Imported) -> str:
    return "\n".join(f"{note.about}: {note.text}" for note in found.notes)
