"""Steps that tests of importers share."""

from __future__ import annotations

from typing import Any

from scheduler_service.features.apply.importers.imported import Imported, Options
from scheduler_service.features.apply.importers.registry import IMPORTERS
from scheduler_service.services.job_definition import JobDefinition


def imported(kind: str, text: str, **options: Any) -> Imported:
    found = IMPORTERS[kind].imported(text, "file", Options(**options))
    ids = {document["external_key"]: number for number, document in enumerate(found.documents, 1)}
    for document in found.documents:
        after = [{"job": ids[entry["external_key"]], "on": entry["on"]} for entry in document.get("after", ())]
        JobDefinition.model_validate({**document, "after": after})
    return found


def only(found: Imported) -> dict[str, Any]:
    (document,) = found.documents
    return document


def notes_of(found: Imported) -> str:
    return "\n".join(f"{note.about}: {note.text}" for note in found.notes)
