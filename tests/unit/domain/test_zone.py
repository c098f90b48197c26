"""Time zones: exact IANA names only, and a suggestion for others."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from scheduler_service.domain.schedules.zone import load_zone, meant_zone, zone_names
from scheduler_service.errors import InvalidInputError


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/San_Luis", "Etc/GMT+12"])
def test_zone_is_loaded_by_its_iana_name(name: str) -> None:
    assert load_zone(name).key == name


def test_every_listed_zone_is_loaded() -> None:
    assert len(zone_names()) > 500
    assert all(load_zone(name).key == name for name in zone_names())


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("utc", "did you mean UTC?"),
        (" UTC", "did you mean UTC?"),
        ("America/NewYork", "America/New_York"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("istanbul", "did you mean Asia/Istanbul or Europe/Istanbul?"),
        ("Mars/Phobos", "IANA name such as"),
        ("GMT+1", "for UTC+1 all year write Etc/GMT-1 (with the opposite sign), or a region such as Europe/Berlin"),
        (
            "utc-05:00",
            "for UTC-5 all year write Etc/GMT+5 (with the opposite sign), or a region such as America/",
        ),
        ("+5:30", "an offset is not a time zone; write a region such as Asia/Kolkata"),
        ("UTC+15", "an offset is not a time zone; write a region such as"),
        ("UTC+00:00", "did you mean UTC?"),
    ],
)
def test_unknown_zone_is_refused_with_a_suggestion(name: str, suggestion: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        load_zone(name)
    assert caught.value.problems[0].field == "timezone"
    assert suggestion in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        (" new_york ", "America/New_York"),
        ("port-au-prince", "America/Port-au-Prince"),
        ("europe/berlin", "Europe/Berlin"),
        ("Etc/GMT+5", "Etc/GMT+5"),
        ("GMT+5", None),
        ("istanbul", None),
        ("Mars", None),
        ("", None),
    ],
)
def test_place_means_its_zone_unless_there_are_several(text: str, zone: str | None) -> None:
    assert meant_zone(text) == zone


def test_suggested_region_has_the_offset_in_winter() -> None:
    january, july = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    for minutes in range(-720, 721, 15):
        sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
        with pytest.raises(InvalidInputError) as caught:
            load_zone(f"UTC{sign}{hours}:{rest:02}")
        region = re.search(r"such as (\S+)$", caught.value.problems[0].message)
        if region and region[1] != "Europe/Berlin":
            offsets = {at.astimezone(load_zone(region[1])).utcoffset() for at in (january, july)}
            assert timedelta(minutes=minutes) in offsets, region[1]


def test_zone_that_is_no_place_is_unknown() -> None:
    with pytest.raises(InvalidInputError, match="unknown time zone 'Factory'"):
        load_zone("Factory")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe",
        "Europe/",
        "\0",
        "UTC\0",
        "\ud800",
        "Ü/ß",
        "A" * 100_000,
    ],
)
def test_invalid_name_is_refused_without_reading_files(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        load_zone(name)
    assert len(str(caught.value)) < 300
