"""Numbers and durations in words."""

from __future__ import annotations

import json

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_KIB = 1024


def grouped(number: int) -> str:
    """Return a number with thousands separators: 10,000."""
    return f"{number:,}"


def as_json(value: object) -> str:
    """Return a JSON value as text that people can read."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=dict)


def duration(seconds: float) -> str:
    """Return a duration for people, by its two largest units: 850 ms, 2.1 s, 4 min 10 s, 3 h 5 min, 2 d 4 h."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    for size, name, small, small_name in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min")):
        if whole >= size:
            return _two(whole // size, name, whole % size // small, small_name)
    return _two(whole // _MINUTE, "min", whole % _MINUTE, "s")


def size(count: int) -> str:
    """Return a number of bytes for people: 512 B, 13 KiB, 1.4 MiB."""
    if count < _KIB:
        return f"{count} B"
    amount, unit = count / _KIB, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if amount < _KIB:
            break
        amount, unit = amount / _KIB, larger
    return f"{amount:.1f}".removesuffix(".0") + f" {unit}"


def _two(large: int, name: str, small: int, small_name: str) -> str:
    return f"{large} {name} {small} {small_name}" if small else f"{large} {name}"
