"""The controls of the job editor, each named by the JSON pointer of the field that it edits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """How the text of a control stands for a value."""

    TEXT = "text"
    # Kept as it is, with its line ends.
    CODE = "code"
    NUMBER = "number"
    FLAG = "flag"
    # Several words, separated by commas or spaces.
    WORDS = "words"
    # Texts that may contain spaces, separated by commas.
    ITEMS = "items"
    # One item a line.
    LINES = "lines"
    # One `NAME=value` a line, or `Name: value`.
    PAIRS = "pairs"
    HEADERS = "headers"
    # One `job end` a line, such as `7 success`.
    UPSTREAM = "upstream"
    # HTTP statuses: numbers, or classes such as 2xx.
    STATUSES = "statuses"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a job that has a control."""

    pointer: str
    kind: Kind = Kind.TEXT

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the path of the field in the document."""
        return tuple(self.pointer[1:].split("/"))


def _fields(kind: Kind, *pointers: str) -> tuple[Field, ...]:
    return tuple(Field(pointer, kind) for pointer in pointers)


_NUMBERS = (
    "/priority",
    "/timeout_seconds",
    "/max_concurrency",
    "/misfire_grace_seconds",
    "/catchup_limit",
    "/start_deadline_seconds",
    "/max_runs",
    "/pause_after_failures",
    "/jitter_seconds",
    "/retry_policy/max_retries",
    "/retry_policy/retry_delay",
    "/retry_policy/backoff_factor",
    "/retry_policy/max_delay",
    "/retry_policy/jitter",
    "/limits/memory_mb",
    "/limits/cpu_seconds",
    "/limits/processes",
    "/limits/disk_mb",
    "/limits/output_kb",
    "/limits/artifacts_mb",
    "/limits/grace_seconds",
)
JOB_FIELDS = (
    *_fields(
        Kind.TEXT,
        "/name",
        "/description",
        "/owner_id",
        "/schedule_expr",
        "/timezone",
        "/dst/gap",
        "/dst/fold",
        "/start_at",
        "/end_at",
        "/calendar_shift",
        "/after_mode",
        "/overlap_policy",
        "/misfire_policy",
        "/concurrency_key",
    ),
    *_fields(Kind.NUMBER, *_NUMBERS),
    *_fields(Kind.FLAG, "/enabled", "/limits/network"),
    *_fields(Kind.WORDS, "/calendars", "/grants"),
    Field("/tags", Kind.ITEMS),
    *_fields(Kind.PAIRS, "/env", "/secrets"),
    Field("/after", Kind.UPSTREAM),
    Field("/args", Kind.JSON),
)
PAYLOAD_FIELDS: Mapping[str, tuple[Field, ...]] = {
    "python_code": (
        Field("/payload/code", Kind.CODE),
        Field("/payload/environment"),
        Field("/payload/requirements", Kind.LINES),
    ),
    "shell_script": (Field("/payload/script", Kind.CODE),),
    "http_request": (
        Field("/payload/method"),
        Field("/payload/url"),
        Field("/payload/headers", Kind.HEADERS),
        Field("/payload/body", Kind.CODE),
        Field("/payload/expect/status", Kind.STATUSES),
        Field("/payload/expect/body_contains"),
        Field("/payload/follow_redirects", Kind.FLAG),
    ),
    "program": (Field("/payload/argv", Kind.LINES), Field("/payload/stdin", Kind.CODE)),
    "number_crunching": (
        Field("/payload/operation"),
        *_fields(Kind.NUMBER, "/payload/n", "/payload/limit", "/payload/size", "/payload/samples", "/payload/seed"),
    ),
}
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "fibonacci": ("n",),
    "factorial": ("n",),
    "prime_numbers": ("limit",),
    "matrix_multiplication": ("size", "seed"),
    "monte_carlo_pi": ("samples", "seed"),
    "statistics": ("size", "seed"),
    "eigenvalues": ("size", "seed"),
}
"""The parameters of each calculation that the editor offers."""


def fields_of(payload_type: str) -> tuple[Field, ...]:
    """Return the fields of a job with this kind of payload. A kind of a plug-in is edited as JSON."""
    return (*JOB_FIELDS, *PAYLOAD_FIELDS.get(payload_type, (Field("/payload", Kind.JSON),)))


def value_at(document: Mapping[str, Any], steps: tuple[str, ...]) -> Any:
    """Return the value of a field, or None without one."""
    value: Any = document
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
