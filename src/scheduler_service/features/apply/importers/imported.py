"""What an importer returns: job documents, and what differs in meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from scheduler_service.errors import FieldProblem, InvalidInputError

Document = dict[str, Any]
SANDBOX = (
    "runs are contained: 300 s, 512 MiB, no network and no files of the host, unless the job says otherwise; see "
    "timeout_seconds, limits and grants"
)
_OTHER = re.compile(r"[^a-z0-9]+")
_MAX_KEY_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of an importer says: the zone of schedules that name none, and more that one of them needs.

    `app` is the Celery application. `has_user_field` None: a crontab is guessed to have users or not.
    """

    timezone: str | None = None
    app: str | None = None
    has_user_field: bool | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """One difference in meaning. `about` names the line or the object; empty: all of them."""

    about: str
    text: str


@dataclass(slots=True)
class Imported:
    """The documents and notes of one file."""

    documents: list[Document] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def note(self, about: str, *texts: str) -> None:
        """Add notes about one object."""
        self.notes += [Note(about, text) for text in texts]

    def add(self, key: str, document: Document) -> None:
        """Add a job with a key that no other one has: repeated keys get a number."""
        known = {each["external_key"] for each in self.documents}
        unique, number = key, 1
        while unique in known:
            number += 1
            unique = f"{key}-{number}"
        self.documents.append({"name": document.pop("name", unique), "external_key": unique, **document})


def refuse(message: str) -> InvalidInputError:
    """Return the error for a file that is not what the importer reads."""
    return InvalidInputError(FieldProblem("FILE", message))


def read_json(text: str) -> Any:
    """Return the value of a JSON text. Raise `InvalidInputError` if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refuse(f"is not JSON: {error}") from None


def slug(text: str) -> str:
    """Return a text as a key: lower case, with hyphens."""
    return _OTHER.sub("-", text.lower()).strip("-")[:_MAX_KEY_CHARACTERS].strip("-") or "job"


def unread(members: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return a note for each member of an object that an importer does not know."""
    return [f"{name} is not imported" for name in members if name not in frozenset(known)]
