"""Inspection of a document: bounded work, and a valid rest that services check further."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.databases import NOON

from scheduler_service.domain.resource_limits import ResourceLimits
from scheduler_service.payloads.bounded import MAX_PROBLEMS
from scheduler_service.services.checks import ServerLimits, inspect_job, problems_of_job

DEFINITION: dict[str, Any] = {
    "name": "a job",
    "schedule_expr": "5m",
    "payload": {"type": "shell_script", "script": "true"},
}

MANY: dict[str, tuple[dict[str, Any], int]] = {
    "unknown fields": ({f"x{number}": 1 for number in range(20_000)}, 20_000),
    "unknown limits": ({"limits": {f"x{number}": 1 for number in range(20_000)}}, 20_000),
    "unknown retry fields": ({"retry_policy": {f"x{number}": 1 for number in range(20_000)}}, 20_000),
    "unknown payload fields": (
        {"payload": {"type": "program", "argv": ["x"], **{f"x{number}": 1 for number in range(20_000)}}},
        20_000,
    ),
    "wrong values": (
        {"payload": {"type": "number_crunching", "operation": "statistics", "values": ["x"] * 20_000}},
        20_000,
    ),
    "arguments with NUL": ({"args": {f"x{number}": "\0" for number in range(5_000)}}, 5_000),
    "too many variables": ({"env": {f"1{number}": "" for number in range(20_000)}}, 1),
    "too long arguments": ({"args": {"a": [[]] * 100_000}}, 1),
    "NULs in one argument": ({"args": {"a": ["\0"] * 10_000}}, 1),
}


@pytest.mark.parametrize("case", MANY)
def test_inspection_details_a_bounded_number_of_problems(case: str) -> None:
    changes, number = MANY[case]

    inspection = inspect_job({**DEFINITION, **changes})

    assert len(inspection.items) <= MAX_PROBLEMS
    assert len(inspection.items) + inspection.further == number


def test_sound_part_keeps_every_valid_field() -> None:
    inspection = inspect_job({**DEFINITION, "limits": {"memory_mb": -1, "processes": 7}, "timezone": 5, "name": ""})

    assert inspection.valid_part is not None
    assert (inspection.valid_part.limits.processes, inspection.valid_part.limits.memory_mb) == (7, 512)
    assert inspection.valid_part.schedule_expr == "5m"
    assert inspection.replaced == {"limits.memory_mb", "timezone", "name"}
    assert inspection.is_sent("limits.processes")
    assert not inspection.is_sent("limits.memory_mb")


def test_server_limits_are_reported_beside_wrong_fields() -> None:
    rules = ServerLimits(ResourceLimits(memory_mb=256, processes=8, timeout_seconds=60, network=False))
    limits: dict[str, Any] = {"memory_mb": -1, "processes": 9, "network": True}
    inspection = inspect_job({**DEFINITION, "limits": limits, "timeout_seconds": 61, "priority": 99})

    beyond = [problem.field for problem in problems_of_job(inspection, rules, NOON)]

    assert beyond == ["timeout_seconds", "limits.processes", "limits.network"]
    assert {item["loc"] for item in inspection.items} == {("limits", "memory_mb"), ("priority",)}
