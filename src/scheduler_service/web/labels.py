"""The labels of the editor's controls, and texts of the API in the words of the interface.

The API names a field `max_concurrency`; its control is labelled *Runs at once*. Texts that the interface takes from the
API, such as faults and hints, name fields by these labels.
"""

from __future__ import annotations

import re
from functools import cache

from scheduler_service.web.texts import load_texts, text
from scheduler_service.web.views.editor_fields import JOB_FIELDS, PAYLOAD_FIELDS

_NAMES = {
    "/schedule_expr": "expression",
    "/dst/gap": "gap",
    "/dst/fold": "fold",
    "/overlap_policy": "overlap",
    "/misfire_policy": "misfire",
    "/misfire_grace_seconds": "grace",
    "/catchup_limit": "catchup",
    "/start_deadline_seconds": "deadline",
    "/pause_after_failures": "pause_after",
    "/jitter_seconds": "jitter",
    "/timeout_seconds": "timeout",
    "/retry_policy/backoff_factor": "backoff",
    "/retry_policy/jitter": "retry_jitter",
    "/limits/memory_mb": "memory",
    "/limits/cpu_seconds": "cpu",
    "/limits/disk_mb": "disk",
    "/limits/output_kb": "output",
    "/limits/artifacts_mb": "artifacts",
    "/limits/grace_seconds": "termination",
    "/payload/type": "kind",
    "/payload/url": "url",
    "/payload/expect/status": "expect_status",
    "/payload/expect/body_contains": "expect_body",
    "/payload/follow_redirects": "redirects",
    "/payload/timeout_seconds": "request_timeout",
}
_OF_CHANGES = {
    "/payload": "editor.what",
    "/retry_policy": "editor.retry_title",
    "/limits": "editor.limits",
    "/dst": "editor.clock_changes",
    "/after": "editor.after_title",
    "/enabled": "status.active",
    "/files": "job.files",
}
_CHOICES = {
    "overlap_policy": "overlap.",
    "misfire_policy": "misfire.",
    "dst.gap": "editor.gap_",
    "dst.fold": "editor.fold_",
    "calendar_shift": "editor.shift_",
    "after_mode": "editor.after_mode_",
    "payload.type": "payload.",
}
_YES_OR_NO = {"true": "site.yes", "false": "site.no"}
_CAPITAL = re.compile(r"[A-Z]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_SET_TRUE = re.compile("set (\N{LEFT DOUBLE QUOTATION MARK}[^\N{RIGHT DOUBLE QUOTATION MARK}]+.) to true")
_UNWANTED = re.compile(r"Null:|Default null\b|GET /")
_FIELD = re.compile(r"\b(?:(?:payload|limits|retry_policy|dst)\.\w+|[a-z]+(?:_[a-z]+)+)\b")


def label_of(pointer: str) -> str:
    """Return the label of a control. Parameters of calculations are labelled with their own names."""
    return _labels().get(pointer) or pointer.rpartition("/")[2]


def label_of_change(field: str) -> str:
    """Return the label of a field that changed, such as `limits.memory_mb`, without how its control is filled in."""
    pointer = "/" + field.replace(".", "/")
    name = _OF_CHANGES.get(pointer)
    found = text(name) if name else _labels().get(pointer, "").partition(", one ")[0]
    return found or field.replace("_", " ").replace(".", ": ").capitalize()


def value_of_change(field: str, value: str) -> str:
    """Return the value of a field as the form shows it: a choice by its text, and others as they are."""
    name = f"{_CHOICES[field]}{value}" if field in _CHOICES else _YES_OR_NO.get(value, "")
    return text(name) if name in load_texts() else value


def words_of_operation(name: str) -> str:
    """Return what an operation of the API did, such as `pauseJob`, in words."""
    did = f"versions.did.{name}"
    return text(did) if did in load_texts() else _CAPITAL.sub(lambda found: f" {found[0].lower()}", name).capitalize()


def in_plain_words(told: str) -> str:
    """Return a text of the API with the labels of the fields that it names."""
    return _FIELD.sub(lambda found: _quoted(found[0]), told)


def as_advice(told: str) -> str:
    """Return a warning of the API as a sentence about the form: *set limits.network to true* is a box to tick."""
    plain = _SET_TRUE.sub(r"tick \1", in_plain_words(told))
    return plain[:1].upper() + plain[1:]


def as_hint(description: str) -> str:
    """Return the description of a field as a hint: without what only a writer of JSON needs."""
    sentences = _SENTENCE_END.split(description.replace("`", ""))
    return in_plain_words(" ".join(each for each in sentences if not _UNWANTED.search(each)))


def _quoted(name: str) -> str:
    pointer = "/" + name.replace(".", "/")
    found = _labels().get(pointer) or _labels().get(f"/limits/{name}") or _labels().get(f"/retry_policy/{name}")
    return f"\N{LEFT DOUBLE QUOTATION MARK}{found}\N{RIGHT DOUBLE QUOTATION MARK}" if found else name


@cache
def _labels() -> dict[str, str]:
    parameters = {f"/payload/{name}" for name in ("n", "limit", "size", "samples", "seed")}
    every = {field.pointer for fields in (JOB_FIELDS, *PAYLOAD_FIELDS.values()) for field in fields}
    names = {pointer: pointer.rpartition("/")[2].removesuffix("_id") for pointer in every - parameters} | _NAMES
    return {pointer: text(f"editor.{name}") for pointer, name in names.items()}
