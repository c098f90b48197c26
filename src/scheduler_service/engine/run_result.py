"""The result that a run's code wrote: from the bytes of its file to a value that can be stored and handed on.

A result that cannot be used is a problem that the run's message names, never a failure. The exit code alone decides
whether a run succeeded: the work is done, and a retry would do it twice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from scheduler_service.payloads.stored_json import depth_of, faults_of_json, written_out
from scheduler_service.sandbox.contract.collected import MAX_RESULT_BYTES, RESULT_VARIABLE

MAX_DEPTH = 64
"""Deeper values cannot be validated as JSON by the models of responses."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The value, or None and the `problem` that it has. A run can also have no result at all, or null."""

    value: Any = None
    problem: str | None = None


NO_RESULT = RunResult()


def parse_result(data: bytes | None) -> RunResult:
    """Return the result that a run has written, which may be none."""
    if not data:
        return NO_RESULT
    try:
        value = json.loads(data.decode(), parse_constant=_refuse, parse_float=written_out)
    except (ValueError, RecursionError, OverflowError) as error:
        return RunResult(problem=f"the file {RESULT_VARIABLE} is not JSON, so there is no result: {error}")
    if depth_of(value) > MAX_DEPTH:
        return RunResult(problem=f"the result is nested more than {MAX_DEPTH} deep, so it is not kept")
    if fault := next(faults_of_json(value), None):
        return RunResult(problem=f"the result is not kept: {fault}")
    if (size := len(text_of(value).encode())) > MAX_RESULT_BYTES:
        return RunResult(problem=f"the result takes {size} bytes, and the limit is {MAX_RESULT_BYTES}; it is not kept")
    return RunResult(value)


def text_of(value: Any) -> str:
    """Return a result as JSON, in the form in which the next run receives it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_handed_on(value: Any) -> bool:
    """Return whether the next run receives a result. One that a kind of payload computes may be too long for that."""
    return value is not None and len(text_of(value).encode()) <= MAX_RESULT_BYTES


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
