"""Conditional requests on jobs (RFC 9110, section 13).

An entity tag is `"<version>-<digest>"`. The digest covers the whole representation, so a GET returns the job again
after a run changed it. `If-Match` compares only the version, so the end of a run does not make a client's copy stale.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from fastapi import Header

from scheduler_service.errors import FieldProblem, InvalidInputError

# The grammar of an entity tag (RFC 9110, section 8.8.3), and of a list of them.
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_TAGS = re.compile(rf"[ \t,]*{_TAG.pattern}([ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")
_VERSION = re.compile(r"([1-9][0-9]{0,17})(?:-[0-9a-f]+)?")

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="Change the job only if its version is still this `ETag`; `*` accepts any version. Only the number "
        "before the dash is compared, because runs change the rest.",
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="Return 304 without a body if the job and its last run are unchanged since this `ETag`.",
    ),
]


def etag(version: int, shown: bytes) -> str:
    """Return the entity tag of a version in this representation, its JSON."""
    digest = hashlib.blake2b(shown, digest_size=8).hexdigest()
    return f'"{version}-{digest}"'


def versions_to_match(if_match: str | None) -> frozenset[int] | None:
    """Return the versions of which one must be current, or None if any is accepted.

    Weak tags never match (RFC 9110).
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = [tag for is_weak, tag in _read("If-Match", if_match) if not is_weak]
    return frozenset(int(match[1]) for tag in tags if (match := _VERSION.fullmatch(tag)))


def is_unchanged(if_none_match: str | None, current: str) -> bool:
    """Return whether one of the client's tags equals `current`. Weak and strong tags are equivalent here."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or any(
        f'"{tag}"' == current for _, tag in _read("If-None-Match", if_none_match)
    )


def _read(header: str, value: str) -> list[tuple[bool, str]]:
    if not _TAGS.fullmatch(value):
        message = 'must be * or a list of entity tags in double quotes, such as "3"'
        raise InvalidInputError(FieldProblem(header, message, value))
    return [(bool(match[1]), match[2]) for match in _TAG.finditer(value)]
