"""Finds all problems of a document at once, in the model and in the services.

Theory of operation. A pydantic model knows only its own rules. Services add others: server limits, whether a schedule
ever fires, what the database contains. If services ran only on valid documents, errors would appear in two rounds.
`inspect` therefore builds the *valid* part: valid fields, with defaults or stand-ins for the others. Services check
that part, and problems about replaced fields are dropped, because the client did not send those values.

The work is limited: the first MAX_PROBLEMS unknown members are described, the rest is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, get_origin

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.payloads.bounded import FURTHER, MAX_PROBLEMS
from scheduler_service.services.json_document import JsonDocument

Model = TypeVar("Model", bound=BaseModel)


class RejectedError(InvalidInputError):
    """A document is invalid.

    `items` are errors of the model, and `service_problems` those of services. `further` counts those that are not
    described.
    """

    def __init__(self, items: Sequence[ErrorDetails], service_problems: Sequence[FieldProblem], further: int) -> None:
        """Keep all problems, so that the client can fix them together."""
        told = (FieldProblem(".".join(map(str, item["loc"])) or "body", item["msg"], item["input"]) for item in items)
        super().__init__(*told, *service_problems)
        self.items = items
        self.service_problems = service_problems
        self.further = further


@dataclass(frozen=True, slots=True)
class Inspection(Generic[Model]):
    """The result of validating a document.

    `valid_part` has the valid fields, with defaults or stand-ins for the others; None if it cannot be built.
    `replaced` are the dotted paths of fields whose value in `valid_part` was not sent.
    """

    document: JsonDocument
    items: tuple[ErrorDetails, ...]
    further: int
    valid_part: Model | None
    replaced: frozenset[str]

    def is_sent(self, field: str) -> bool:
        """Return whether `valid_part` has the value that was sent, or the default of a field that was left out."""
        steps = field.split(".")
        return not any(".".join(steps[:number]) in self.replaced for number in range(1, len(steps) + 1))

    def is_whole(self, field: str) -> bool:
        """Return whether a field and everything in it is as sent."""
        return self.is_sent(field) and not any(path.startswith(f"{field}.") for path in self.replaced)

    def about_sent(self, problems: Iterable[FieldProblem]) -> Iterator[FieldProblem]:
        """Yield the problems that concern values that were sent."""
        return (problem for problem in problems if self.is_sent(problem.field))

    def accept(self, problems: Iterable[FieldProblem] = ()) -> Model:
        """Return the model. Raise `RejectedError` if the model or `problems` contain any problem."""
        service_problems = list(problems)
        if self.items or service_problems or self.further or self.valid_part is None:
            raise RejectedError(self.items, service_problems, self.further)
        return self.valid_part


def inspect(model: type[Model], document: JsonDocument, stand_ins: JsonDocument, further: int = 0) -> Inspection[Model]:
    """Validate a document. `stand_ins` are values for required fields.

    `further` counts members that were removed from the document before.
    """
    document, left_out = without_surplus(model, document)
    further += left_out
    try:
        return Inspection(document, (), further, model.model_validate(document), frozenset())
    except ValidationError as error:
        found = error.errors(include_url=False)
    items = tuple(item for item in found if item["type"] != FURTHER)
    further += sum(item["ctx"]["count"] for item in found if item["type"] == FURTHER)
    valid_part, replaced = _valid_part(model, document, items, stand_ins)
    return Inspection(document, items, further, valid_part, frozenset(replaced))


def without_surplus(model: type[BaseModel], document: JsonDocument) -> tuple[dict[str, JsonValue], int]:
    """Return a document with at most MAX_PROBLEMS unknown members in each object, and the number of removed ones."""
    known, left_out = _names(model), 0
    kept, further = _few(document, known)
    for name, value in kept.items():
        if isinstance(value, dict) and name not in open_fields(model):
            kept[name], left_out = _few(value, known)
            further += left_out
    return kept, further


@cache
def open_fields(model: type[BaseModel]) -> frozenset[str]:
    """Return the fields whose members have names of the user's own, such as variables; their types bound them."""
    return frozenset(name for name, field in model.model_fields.items() if get_origin(field.annotation) is dict)


def _few(members: JsonDocument, known: frozenset[str]) -> tuple[dict[str, JsonValue], int]:
    unknown = [name for name in members if name not in known]
    surplus = frozenset(unknown[MAX_PROBLEMS:])
    return {name: value for name, value in members.items() if name not in surplus}, len(surplus)


@cache
def _names(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of all fields of a model and of its nested models."""
    return frozenset(_property_names(model.model_json_schema()))


def _property_names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _property_names(part)


def _valid_part(
    model: type[Model], document: JsonDocument, items: Iterable[ErrorDetails], stand_ins: JsonDocument
) -> tuple[Model | None, set[str]]:
    kept, replaced = dict(document), set[str]()
    for item in items:
        # A missing field cannot be removed, so its parent object is removed.
        path = _path(document, item["loc"]) or tuple(map(str, item["loc"][:1]))
        kept = _without(kept, path)
        replaced.add(".".join(path))
    for _ in range(_PASSES):
        try:
            return model.model_validate({**stand_ins, **kept}), replaced
        except ValidationError as error:
            broken = {str(item["loc"][0]) for item in error.errors(include_url=False) if item["loc"]}
            kept = {name: value for name, value in kept.items() if name not in broken}
            replaced |= broken
    return None, replaced


# A removed field can make its parent incomplete, such as a payload without code. The second pass removes the parent.
_PASSES = 2


def _path(document: JsonDocument, location: Sequence[str | int]) -> tuple[str, ...]:
    """Return the names that lead to a value, up to the first list. Lists are removed as a whole."""
    path: list[str] = []
    value: Any = document
    for step in location:
        if isinstance(value, dict) and step in value:
            path.append(str(step))
            value = value[step]
    return tuple(path)


def _without(members: JsonDocument, path: Sequence[str]) -> dict[str, Any]:
    if not path:
        return dict(members)
    name, *rest = path
    inner = members.get(name)
    if rest and isinstance(inner, dict):
        return {**members, name: _without(inner, rest)}
    return {other: value for other, value in members.items() if other != name}
