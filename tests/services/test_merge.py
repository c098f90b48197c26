"""Merging a patch into a job's document."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler_service.services.merge_patch import merge

SHELL = {"type": "shell_script", "script": "true"}
FIBONACCI = {"type": "number_crunching", "operation": "fibonacci", "n": 5}
PRIMES = {"type": "number_crunching", "operation": "prime_numbers", "limit": 9}
JOB: dict[str, Any] = {
    "name": "a job",
    "payload": SHELL,
    "limits": {"memory_mb": 512, "network": False},
    "env": {"A": "1"},
    "args": {"a": {"b": 1}},
}


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({}, {}),
        ({"name": "another"}, {"name": "another"}),
        ({"limits": {"memory_mb": 64}}, {"limits": {"memory_mb": 64, "network": False}}),
        ({"limits": {"memory_mb": None}}, {"limits": {"network": False}}),
        ({"env": {"B": "2"}}, {"env": {"A": "1", "B": "2"}}),
        ({"args": {"a": {"b": None, "c": 2}}}, {"args": {"a": {"c": 2}}}),
        ({"payload": {"script": "false"}}, {"payload": {"type": "shell_script", "script": "false"}}),
        ({"payload": {"type": "shell_script"}}, {"payload": SHELL}),
    ],
)
def test_patch_merges_objects_and_replaces_other_values(patch: dict[str, Any], changed: dict[str, Any]) -> None:
    assert merge(JOB, patch) == {**JOB, **changed}


def test_null_removes_a_field() -> None:
    assert "limits" not in merge(JOB, {"limits": None})


@pytest.mark.parametrize(
    ("patch", "path"), [({"foo": None}, ("foo",)), ({"limits": {"memory": None}}, ("limits", "memory"))]
)
def test_null_of_an_unknown_field_is_kept_for_validation(patch: dict[str, Any], path: tuple[str, ...]) -> None:
    merged: Any = merge(JOB, patch)

    for name in path:
        merged = merged[name]
    assert merged is None


@pytest.mark.parametrize("patch", [{"env": {"B": None}}, {"args": {"b": None}}, {"args": {"a": {"c": None}}}])
def test_null_in_env_or_args_is_kept_as_a_value(patch: dict[str, Any]) -> None:
    assert merge(JOB, patch) == JOB


@pytest.mark.parametrize(
    ("old", "patch", "new"),
    [
        (SHELL, {"type": "python_code", "code": "1"}, {"type": "python_code", "code": "1"}),
        (SHELL, {"type": "python_code", "code": "1", "script": None}, {"type": "python_code", "code": "1"}),
        (FIBONACCI, {"operation": "prime_numbers", "limit": 9}, PRIMES),
        (FIBONACCI, {"n": 6}, {**FIBONACCI, "n": 6}),
    ],
)
def test_payload_of_another_kind_replaces_the_old_one(old: Any, patch: dict[str, Any], new: dict[str, Any]) -> None:
    assert merge({**JOB, "payload": old}, {"payload": patch})["payload"] == new
