"""Loads time zones by IANA name."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from scheduler_service.errors import FieldProblem, InvalidInputError


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    """Return the zone with exactly this name. Raise `InvalidInputError` on `timezone` with close matches.

    Only names in the IANA list are looked up, so no path, NUL or overlong name reaches the file system.
    """
    if name not in zone_names():
        raise InvalidInputError(
            FieldProblem("timezone", f"unknown time zone {_shown(name)}; {_remedy(name)}", name[:_MAX_NAME_CHARACTERS])
        )
    return ZoneInfo(name)


@cache
def zone_names() -> frozenset[str]:
    """Return all IANA names that the tzdata package lists, except those that are no real zone."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="ascii").split()) - _NO_ZONES


def meant_zone(name: str) -> str | None:
    """Return the zone that a text means beyond doubt: `berlin` is Europe/Berlin. None: no zone, or one of several."""
    if name in zone_names():
        return name
    found = _zones_meant(name)
    return found[0] if len(found) == 1 else None


def _zones_meant(name: str) -> tuple[str, ...]:
    """Return the zones with this name or this place, whatever its case and whether words are parted by spaces."""
    folded = _folded(name[:_MAX_NAME_CHARACTERS])
    return _by_folded_name().get(folded, ()) or _by_place().get(folded, ())


@cache
def _by_folded_name() -> dict[str, tuple[str, ...]]:
    return {_folded(zone): (zone,) for zone in zone_names()}


@cache
def _by_place() -> dict[str, tuple[str, ...]]:
    places: dict[str, list[str]] = {}
    for zone in sorted(zone_names()):
        region, _, place = zone.rpartition("/")
        if region and region != "Etc":
            places.setdefault(_folded(place), []).append(zone)
    return {place: tuple(zones) for place, zones in places.items()}


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip()).lower()


def _remedy(name: str) -> str:
    by_lower_case = {known.lower(): known for known in sorted(zone_names())}
    if offset := _OFFSET.fullmatch(name[:_MAX_NAME_CHARACTERS].strip()):
        return _remedy_for_offset(offset)
    if meant := _zones_meant(name):
        return f"did you mean {' or '.join(meant)}?"
    if matches := get_close_matches(name[:_MAX_NAME_CHARACTERS].lower(), by_lower_case, n=3, cutoff=0.7):
        return "did you mean " + " or ".join(by_lower_case[match] for match in matches) + "?"
    return "write an IANA name such as Europe/Berlin, America/New_York or UTC"


def _remedy_for_offset(offset: re.Match[str]) -> str:
    sign, hours, minutes = offset[1], int(offset[2]), int(offset[3] or 0)
    total = (60 * hours + minutes) * (1 if sign == "+" else -1)
    if total == 0:
        return "did you mean UTC?"
    turned = f"Etc/GMT{'-' if sign == '+' else '+'}{hours}"
    region = _REGIONS.get(total, "Europe/Berlin")
    if minutes or turned not in zone_names():
        return f"an offset is not a time zone; write a region such as {region}"
    shown = f"UTC{sign}{hours}"
    return f"for {shown} all year write {turned} (with the opposite sign), or a region such as {region}"


def _shown(name: str) -> str:
    return repr(name if len(name) <= _MAX_NAME_CHARACTERS else name[:_MAX_NAME_CHARACTERS] + "…")


_MAX_NAME_CHARACTERS = 64
_OFFSET = re.compile(r"(?:UTC|GMT|Z)? ?([+-]) ?(\d{1,2})(?::?([0-5]\d))?", re.ASCII | re.IGNORECASE)
# An example region for each winter offset in minutes.
_REGIONS = {
    -600: "Pacific/Honolulu", -540: "America/Anchorage", -480: "America/Los_Angeles", -420: "America/Denver",
    -360: "America/Chicago", -300: "America/New_York", -240: "America/Halifax", -210: "America/St_Johns",
    -180: "America/Sao_Paulo", -60: "Atlantic/Azores", 60: "Europe/Berlin", 120: "Europe/Athens",
    180: "Europe/Istanbul", 210: "Asia/Tehran", 240: "Asia/Dubai", 270: "Asia/Kabul", 300: "Asia/Karachi",
    330: "Asia/Kolkata", 345: "Asia/Kathmandu", 360: "Asia/Dhaka", 390: "Asia/Yangon", 420: "Asia/Bangkok",
    480: "Asia/Singapore", 540: "Asia/Tokyo", 570: "Australia/Adelaide", 600: "Australia/Sydney",
    660: "Pacific/Guadalcanal", 720: "Pacific/Auckland",
}  # fmt: skip
# `Factory` ("-00") stands for a zone that was never set; the others link to the zone of the local machine.
_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})
