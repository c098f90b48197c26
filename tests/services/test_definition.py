"""How a job's definition normalizes its fields, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from scheduler_service.features.alerts.definition import AlertDefinition
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.variables import MAX_BYTES, MAX_STRING_BYTES

# What is left of one string of the environment for the text in {"a": "…"}.
ROOM = MAX_STRING_BYTES - len('SCHEDULER_ARGS={"a": ""}\0')


def definition(**changes: Any) -> JobDefinition:
    minimal = {"name": "a job", "schedule_expr": "5m", "payload": {"type": "shell_script", "script": "true"}}
    return JobDefinition.model_validate({**minimal, **changes})


def refusals(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        definition(**changes)
    return [(".".join(map(str, item["loc"])), item["msg"]) for item in caught.value.errors()]


@pytest.mark.parametrize("text", ["x" * ROOM, "\u00fc" * (ROOM // 6)])
def test_arguments_are_accepted_up_to_the_size_of_a_variable(text: str) -> None:
    assert definition(args={"a": text}).args == {"a": text}


@pytest.mark.parametrize("text", ["x" * (ROOM + 1), "\u00fc" * (ROOM // 6 + 1), "x" * 500_000])
def test_arguments_are_refused_beyond_the_size_of_a_variable(text: str) -> None:
    ((field, message),) = refusals(args={"a": text})

    size = len(json.dumps({"a": text}))
    assert field == "args"
    assert message.endswith(f"take {size} bytes as JSON in SCHEDULER_ARGS, and the limit is 131056; shorten them")


def test_large_numbers_are_counted_as_postgresql_writes_them() -> None:
    ((field, message),) = refusals(args={"a": [1e300] * 450})

    assert field == "args"
    assert f"take {len(json.dumps({'a': [int(1e300)] * 450}))} bytes" in message


def test_variable_is_refused_beyond_the_kernel_limit() -> None:
    text = "\U0001f600" * 32_768

    ((field, message),) = refusals(env={"A": "fine", "B": text})

    assert field == "env.B"
    assert message == "takes 131074 bytes with its name, and the limit is 131071; shorten it"


def test_variables_are_refused_beyond_the_kernel_limit_in_total() -> None:
    env = {f"V{number}": "x" * 32_000 for number in range(40)}

    ((field, message),) = refusals(env=env)

    assert field == "env"
    assert message.endswith(
        f"take {sum(map(len, env)) + 40 * 32_002} bytes, and the limit is {MAX_BYTES}; shorten them"
    )


def test_arguments_count_towards_the_total_of_variables() -> None:
    env = {f"V{number}": "x" * 32_000 for number in range(30)}

    ((field, message),) = refusals(env=env, args={"a": "x" * 100_000})

    assert field == "args"
    assert "the variables and arguments take" in message


@pytest.mark.parametrize("name", ["HOME", "TMPDIR"])
def test_variables_of_the_working_directory_are_refused(name: str) -> None:
    ((field, message),) = refusals(env={name: "/somewhere"})

    assert field.startswith(f"env.{name}")
    assert message.endswith(
        "the service sets this variable to the working directory of the run; remove it or choose another name"
    )


def test_path_and_language_may_be_set() -> None:
    env = {"PATH": "/opt/bin:/bin", "LANG": "de_DE.UTF-8"}

    assert definition(env=env).env == env


def test_tags_are_trimmed_and_unique_in_order() -> None:
    assert definition(tags=["b", "a", "a ", " a", "b"]).tags == ["b", "a"]


@pytest.mark.parametrize(("given", "kept"), [(" a ", "a"), ("  ", ""), ("a b", "a b")])
def test_owner_is_trimmed(given: str, kept: str) -> None:
    channel = {"type": "email", "to": ["a@example.com"]}

    assert definition(owner_id=given).owner_id == kept
    rule = AlertDefinition.model_validate({"name": "x", "on": ["failure"], "channel": channel, "owner_id": given})
    assert rule.owner_id == kept


@pytest.mark.parametrize("three", [3, 3.0])
def test_whole_number_may_be_written_as_a_float(three: float) -> None:
    taken = definition(
        priority=three,
        max_concurrency=three,
        limits={"processes": three},
        retry_policy={"max_retries": three},
        payload={"type": "number_crunching", "operation": "fibonacci", "n": three},
    )

    dumped = taken.model_dump(mode="json")
    numbers = [dumped["priority"], dumped["max_concurrency"], dumped["limits"]["processes"]]
    numbers += [dumped["retry_policy"]["max_retries"], dumped["payload"]["n"]]
    assert [json.dumps(number) for number in numbers] == ["3"] * 5


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"retry_policy": {"max_retries": "3"}}, "int_type"),
        ({"retry_policy": {"max_retries": True}}, "int_type"),
        ({"retry_policy": {"max_retries": 1.5}}, "int_type"),
        ({"retry_policy": {"max_retries": 1e308}}, "less_than_equal"),
        ({"retry_policy": {"max_retries": float("inf")}}, "int_type"),
        ({"retry_policy": {"retry_delay": "3"}}, "float_type"),
        ({"priority": "3"}, "int_type"),
        ({"priority": 1e308}, "less_than_equal"),
    ],
)
def test_number_fields_refuse_other_types_alike(changes: dict[str, Any], kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        definition(**changes)
    assert [item["type"] for item in caught.value.errors()] == [kind]
