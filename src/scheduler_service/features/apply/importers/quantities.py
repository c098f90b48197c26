"""Sizes and durations as other schedulers write them."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?|k|m)?B?")
_FACTORS = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "m": 1e6}
_FACTORS |= {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_LEAST_MEGABYTES = 16


def megabytes(text: str) -> int | None:
    """Return a size such as `512Mi` in MiB, at least the smallest limit of a job, or None if it cannot be read."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    return max(_LEAST_MEGABYTES, round(float(found[1]) * _FACTORS[found[2] or ""] / 2**20))


def seconds(text: str) -> float | None:
    """Return a duration such as `1h30m` in seconds, or None if it cannot be read."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        return None
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest
