"""Which worker executes which runs."""

from __future__ import annotations

import pytest

from scheduler_service.domain.routing import EVERYTHING, Routing

RESERVED = ("gpu", "night")


@pytest.mark.parametrize(
    ("routing", "tags", "serves"),
    [
        (EVERYTHING, (), True),
        (EVERYTHING, ("gpu",), True),
        (Routing(reserved=RESERVED), (), True),
        (Routing(reserved=RESERVED), ("day",), True),
        (Routing(reserved=RESERVED), ("day", "gpu"), False),
        (Routing(frozenset({"gpu"}), RESERVED), ("day", "gpu"), True),
        (Routing(frozenset({"gpu"}), RESERVED), ("night",), False),
        (Routing(frozenset({"gpu"}), RESERVED), (), False),
        (Routing(frozenset({"gpu", "night"}), RESERVED), ("night",), True),
        (Routing(frozenset({"day"})), ("day",), True),
        (Routing(frozenset({"day"})), ("gpu",), False),
    ],
)
def test_worker_serves_runs_by_its_and_the_reserved_tags(routing: Routing, tags: tuple[str, ...], serves: bool) -> None:
    assert routing.serves(tags) is serves


@pytest.mark.parametrize(
    ("tags", "route"), [((), None), (("day",), None), (("night",), "night"), (("night", "gpu"), "gpu")]
)
def test_job_is_routed_by_the_first_reserved_tag(tags: tuple[str, ...], route: str | None) -> None:
    assert Routing(reserved=RESERVED).route(tags) == route
