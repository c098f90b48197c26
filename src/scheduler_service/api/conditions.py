"""Conditional requests (RFC 9110, section 13), on entity tags that hold the version of a job."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header

from scheduler_service.errors import FieldProblem, InvalidInputError

# The grammar of an entity tag (RFC 9110, section 8.8.3), and of a list of them.
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_TAGS = re.compile(rf"[ \t,]*{_TAG.pattern}([ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")
_VERSION = re.compile(r"[1-9][0-9]{0,17}")

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="Change the job only if it still is at this version: the `ETag`, or `*`."),
]
IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", description="Answer 304 if the job still is at this version: the `ETag`, or `*`."),
]


def etag(version: int) -> str:
    """Give the entity tag of a version."""
    return f'"{version}"'


def versions_to_match(if_match: str | None) -> frozenset[int] | None:
    """Give the versions of which one must be current; None: any. Weak tags match nothing, as the RFC has it."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = _read("If-Match", if_match)
    return frozenset(int(tag) for is_weak, tag in tags if not is_weak and _VERSION.fullmatch(tag))


def is_unchanged(if_none_match: str | None, version: int) -> bool:
    """Say whether the client has this version already; weak tags are as good as strong ones here."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or any(tag == str(version) for _, tag in _read("If-None-Match", if_none_match))


def _read(header: str, value: str) -> list[tuple[bool, str]]:
    if not _TAGS.fullmatch(value):
        message = 'must be * or a list of entity tags in double quotes, such as "3"'
        raise InvalidInputError(FieldProblem(header, message, value))
    return [(bool(match[1]), match[2]) for match in _TAG.finditer(value)]
