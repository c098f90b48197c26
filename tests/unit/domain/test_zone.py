"""Time zones: exact IANA names only, and a refusal that helps."""

from __future__ import annotations

import pytest

from scheduler_service.domain.zone import load_zone, zone_names
from scheduler_service.errors import InvalidInputError


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/San_Luis", "Etc/GMT+12"])
def test_loads_a_zone_by_its_iana_name(name: str) -> None:
    assert load_zone(name).key == name


def test_loads_every_name_that_it_lists() -> None:
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
        ("Mars/Phobos", "IANA name such as"),
    ],
)
def test_suggests_what_to_write_instead_of_an_unknown_name(name: str, suggestion: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        load_zone(name)
    assert caught.value.problems[0].field == "timezone"
    assert suggestion in caught.value.problems[0].message


def test_knows_no_zone_that_is_no_place() -> None:
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
def test_refuses_what_is_no_name_without_touching_files(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        load_zone(name)
    assert len(str(caught.value)) < 300
