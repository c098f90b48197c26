"""The pure functions behind the pages."""

from __future__ import annotations

import shlex

import pytest

from scheduler_service.web.views import words
from scheduler_service.web.views.curl import curl
from scheduler_service.web.views.paging import MAX_BACK, Place, pager, read_place


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0 ms"),
        (0.85, "850 ms"),
        (2.0, "2 s"),
        (2.14, "2.1 s"),
        (250, "4 min 10 s"),
        (3600, "1 h"),
        (11_100, "3 h 5 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_duration_has_its_two_largest_units(seconds: float, shown: str) -> None:
    assert words.duration(seconds) == shown


@pytest.mark.parametrize(("count", "shown"), [(512, "512 B"), (13_312, "13 KiB"), (1_500_000, "1.4 MiB")])
def test_size_has_one_unit(count: int, shown: str) -> None:
    assert words.size(count) == shown


def test_pager_of_the_only_page_has_no_neighbours() -> None:
    page = pager(Place(), 3, 3, None, 10_000)
    assert (page.first, page.last, page.previous, page.next) == (1, 3, None, None)


def test_pager_leads_on_and_back() -> None:
    second = pager(Place(), 50, 120, "a", 10_000).next
    assert second is not None
    place = read_place({name: str(value) for name, value in second.items()})
    third = pager(place, 50, 120, "b", 10_000)
    assert third.previous == {"cursor": None, "from": None, "back": ""}
    assert third.next == {"cursor": "b", "from": 101, "back": "a"}


def test_pager_remembers_a_limited_number_of_pages() -> None:
    place = read_place({"cursor": "c", "from": "1001", "back": "~".join(map(str, range(100)))})
    assert len(place.back) == MAX_BACK


@pytest.mark.parametrize("first", ["", "x", "-1", "9" * 30])
def test_malformed_place_is_the_first_page(first: str) -> None:
    assert read_place({"cursor": "c", "from": first}) == Place()


def test_command_quotes_what_a_shell_would_read() -> None:
    command = curl("http://localhost:8000", "POST", "/jobs?q=a&b", {"name": "it's $HOME"})
    assert shlex.split(command) == [
        "curl", "-X", "POST", "-H", "X-API-Key: $API_KEY", "-H", "Content-Type: application/json",
        "-d", '{"name": "it\'s $HOME"}', "http://localhost:8000/api/v1/jobs?q=a&b",
    ]  # fmt: skip
