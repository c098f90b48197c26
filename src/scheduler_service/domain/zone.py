"""Time zones by their IANA names."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from scheduler_service.errors import FieldProblem, InvalidInputError


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    """Give the zone of that exact name; raises `InvalidInputError` on `timezone`, with close matches.

    Only names that the IANA database lists are looked up, so no path, NUL or absurd length reaches the file system.
    """
    if name not in zone_names():
        raise InvalidInputError(
            FieldProblem("timezone", f"unknown time zone {_shown(name)}; {_remedy(name)}", name[:_LONGEST])
        )
    return ZoneInfo(name)


@cache
def zone_names() -> frozenset[str]:
    """All names of the IANA database, as the tzdata package lists them, less those that stand for no place."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="ascii").split()) - _NO_PLACES


def _remedy(name: str) -> str:
    by_lower_case = {known.lower(): known for known in sorted(zone_names())}
    if exact := by_lower_case.get(name.strip().lower()):
        return f"did you mean {exact}?"
    if matches := get_close_matches(name[:_LONGEST].lower(), by_lower_case, n=3, cutoff=0.7):
        return "did you mean " + " or ".join(by_lower_case[match] for match in matches) + "?"
    return "write an IANA name such as Europe/Berlin, America/New_York or UTC"


def _shown(name: str) -> str:
    return repr(name if len(name) <= _LONGEST else name[:_LONGEST] + "…")


_LONGEST = 64
# `Factory` is what a machine has whose zone nobody has set ("-00"); the others are links of a machine to its own zone.
_NO_PLACES = frozenset({"Factory", "localtime", "posixrules"})
