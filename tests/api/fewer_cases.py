"""Read by schemathesis: which of the cases of its phase of coverage are tried.

It breaks every rule of the description with up to nine values, each of which the same validator refuses, and writes
every body once more for the next media type. Tried are, for every operation, all values that are right, and each
mistake once; other values and all media types come in its other phases. What may be in the definition of a job or of
an alert is the same whether it is created, replaced or changed: those three try the values and mistakes by turns.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import CoveragePhaseData

DEFINED = ("/api/v1/jobs", "/api/v1/alerts")
METHODS = ("POST", "PUT", "PATCH")

_tried: set[tuple[object, ...]] = set()


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Return whether a case is to be tried."""
    data = case.meta.phase.data if case.meta else None
    if case.meta is None or not isinstance(data, CoveragePhaseData):
        return True
    is_right = case.meta.generation.mode == schemathesis.GenerationMode.POSITIVE
    shown = _values(case, data) if is_right else _mistake(data)
    if data.parameter_location == ParameterLocation.BODY and case.operation.path.startswith(DEFINED):
        # Of a kind that every process comes to, unlike `hash`.
        turn = crc32(repr(shown).encode(errors="backslashreplace")) % len(METHODS)
        if case.method != METHODS[turn]:
            return False
    subject = (case.operation.label, case.method, is_right, *shown)
    is_new = subject not in _tried
    _tried.add(subject)
    return is_new


def _values(case: schemathesis.Case[Any], data: CoveragePhaseData) -> tuple[object, ...]:
    if data.parameter_location == ParameterLocation.BODY:
        return (repr(case.body),)
    return (repr(case.path_parameters), repr(case.query), repr(case.headers), repr(case.body))


def _mistake(data: CoveragePhaseData) -> tuple[object, ...]:
    # Of a body, the parameter is its media type.
    parameter = None if data.parameter_location == ParameterLocation.BODY else data.parameter
    return (data.parameter_location, parameter, data.location, data.description)
