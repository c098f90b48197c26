"""Paths into JSON documents, in the part of JSONPath (RFC 9535) that names one value."""

from __future__ import annotations

import re

_STEP = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d{1,9})\]|\["([^"\\]+)"\]|\['([^'\\]+)'\]""")
_FORM = """must name one value, such as $.status, $.items[0].id or $["a name"]"""


def parse_path(path: str) -> list[str | int]:
    """Return the member names and positions of a path. Raise ValueError if it is none, or may name several values."""
    if not path.startswith("$"):
        raise ValueError(f"{_FORM}; begin it with $")
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise ValueError(f"{_FORM}; {path[at:]!r} is not understood")
        steps.append(int(match[2]) if match[2] else match[1] or match[3] or match[4])
        at = match.end()
    return steps
