"""The job editor: from a job's document to controls, and from what a form sends back to a document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from scheduler_service.web.views.editor_fields import OPERATIONS, PAYLOAD_FIELDS, Field, Kind, fields_of, value_at
from scheduler_service.web.views.editor_text import KEPT, text_of, value_of

ON_DEMAND = "on_demand"
"""The control that says that a job has no schedule."""
DOCUMENT = "document"
"""The control with the whole definition as JSON."""
TYPE = "/payload/type"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field. `pointer` names its control, or is empty if the fault is of none."""

    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class Control:
    """A control as it is shown."""

    pointer: str
    text: str
    errors: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return the id of the element."""
        return "f" + self.pointer.replace("/", "-")

    @property
    def is_on(self) -> bool:
        """Return whether a flag is set."""
        return bool(self.text)


def controls(document: Mapping[str, Any], problems: Iterable[Problem] = ()) -> dict[str, Control]:
    """Return the control of every field, by its pointer, with the faults of each."""
    found: dict[str, list[str]] = {}
    for problem in problems:
        found.setdefault(problem.pointer, []).append(problem.message)
    return {
        field.pointer: Control(field.pointer, _text(document, field), tuple(found.get(field.pointer, ())))
        for field in _every_field(payload_type(document))
    }


def payload_type(document: Mapping[str, Any]) -> str:
    """Return the kind of payload in a document; Python by default."""
    kind = value_at(document, ("payload", "type"))
    return kind if isinstance(kind, str) else "python_code"


def read_form(form: Mapping[str, Any], base: Mapping[str, Any]) -> Document:
    """Return the document that a form describes.

    A field keeps its value of `base` if it has no control, or if its control still has the text of that value: not
    every value survives the way through a text. An argument can have a line end.
    """
    kind = str(form.get(TYPE, "python_code"))
    payload = base.get("payload") if payload_type(base) == kind else None
    document = {**deepcopy(dict(base)), "payload": {**(payload or {}), "type": kind}}
    for field in fields_of(kind):
        text = form.get(field.pointer, "")
        if _is_foreign(field, form):
            text = ""
        stored = value_at(base, field.steps)
        if field.kind is Kind.FLAG:
            value = field.pointer in form
        elif stored is not None and _in_lines(str(text)) == _in_lines(_text(base, field)):
            value = stored
        else:
            value = value_of(field.kind, str(text), stored)
        _put(document, field.steps, value)
    if ON_DEMAND in form:
        document["schedule_expr"] = None
    else:
        document.setdefault("schedule_expr", "")
    document.setdefault("name", "")
    return document


def read_json(text: str, base: Mapping[str, Any]) -> Document:
    """Return the document that is written as JSON. Raise `ValueError` if it is none."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("a definition is a JSON object, in braces")  # noqa: TRY004 (a fault of the text)
    stored = base.get("env") or {}
    if isinstance(document.get("env"), dict):
        document["env"] = {
            name: stored.get(name, value) if value == KEPT else value for name, value in document["env"].items()
        }
    return document


def json_text(document: Mapping[str, Any]) -> str:
    """Return a definition as JSON, without the values of variables."""
    env = document.get("env")
    hidden = {"env": dict.fromkeys(env, KEPT)} if isinstance(env, Mapping) and env else {}
    return json.dumps({**document, **hidden}, indent=2, ensure_ascii=False)


def pointer_of(path: Iterable[str | int], kind: str) -> str:
    """Return the pointer of the control that a fault at this path belongs to, or an empty text."""
    pointer = "/" + "/".join(map(str, path))
    known = {field.pointer for field in fields_of(kind)} | {TYPE}
    while pointer and pointer not in known:
        pointer = pointer.rpartition("/")[0]
    return pointer


def _every_field(kind: str) -> list[Field]:
    """Return the fields of all kinds, because a page without scripts shows the controls of each."""
    known = {field.pointer: field for fields in PAYLOAD_FIELDS.values() for field in fields}
    return list(({field.pointer: field for field in fields_of(kind)} | known).values())


def _text(document: Mapping[str, Any], field: Field) -> str:
    return text_of(field.kind, value_at(document, field.steps), is_hidden=field.pointer == "/env")


def _in_lines(text: str) -> str:
    """Return a text with the line ends of this service. Browsers send CRLF."""
    return text.replace("\r\n", "\n")


def _is_foreign(field: Field, form: Mapping[str, Any]) -> bool:
    """Return whether a field is a parameter of another calculation than the chosen one."""
    operation = form.get("/payload/operation")
    name = field.steps[-1]
    is_parameter = any(name in names for names in OPERATIONS.values()) and len(field.steps) == 2  # noqa: PLR2004
    return is_parameter and field.steps[0] == "payload" and name not in OPERATIONS.get(str(operation), (name,))


def _put(document: Document, steps: tuple[str, ...], value: Any) -> None:
    """Set a field of a document, or remove it if the value is None."""
    parent = document
    for step in steps[:-1]:
        child = parent.get(step)
        parent[step] = dict(child) if isinstance(child, Mapping) else {}
        parent = parent[step]
    if value is None:
        parent.pop(steps[-1], None)
    else:
        parent[steps[-1]] = value
    if not parent and len(steps) > 1:
        _put(document, steps[:-1], None)
