"""The secrets of a job: which are accepted, and with which words others are refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.services.test_definition import definition, refusals

from scheduler_service.domain.secrets import files_of, variables_of


def test_variables_and_files_are_accepted() -> None:
    secrets = {"PGPASSWORD": "warehouse-password", "./certs/db.pem": "C_2"}

    assert definition(secrets=secrets).model_dump(mode="json")["secrets"] == secrets


@pytest.mark.parametrize(
    ("secrets", "why"),
    [
        ({"1A": "db"}, "invalid variable name"),
        ({"SCHEDULER_X": "db"}, "reserved for the service"),
        ({"HOME": "db"}, "the service sets this variable"),
        ({"./": "db"}, "is not a relative path"),
        ({"./../x": "db"}, "must not contain the parts . and .."),
        ({"/etc/x": "db"}, "invalid variable name"),
        ({"./job.py": "db"}, "is reserved"),
        ({"A": ""}, "must be 1 to 64 letters"),
        ({"A": "1b"}, "must be 1 to 64 letters"),
        ({"A": "a\n"}, "must be 1 to 64 letters"),
        ({"A": "x" * 65}, "must be 1 to 64 letters"),
        ({"A": {"path": "x"}}, "valid string"),
        ({f"A{number}": "db" for number in range(17)}, "at most 16 items"),
        ({"./a": "db", "./a/b": "db"}, "'a' cannot be a file and the directory of 'a/b'"),
    ],
)
def test_others_are_refused(secrets: dict[str, Any], why: str) -> None:
    assert why in " ".join(message for _, message in refusals(secrets=secrets))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"env": {"A": "x"}, "secrets": {"A": "db"}}, "'A' is also defined in env; remove one of them"),
        ({"files": {"a": {"text": ""}}, "secrets": {"./a": "db"}}, "'./a' is also defined in files"),
        ({"files": {"a/b": {"text": ""}}, "secrets": {"./a": "db"}}, "'a' cannot be a file and the directory"),
    ],
)
def test_place_that_is_taken_is_refused(fields: dict[str, Any], why: str) -> None:
    ((field, message),) = refusals(**fields)

    assert (field, why in message) == ("secrets", True)


def test_values_go_to_their_places() -> None:
    secrets, values = {"A": "one", "./b/c": "two", "D": "one"}, {"one": "1ü", "two": "2ü"}

    assert variables_of(secrets, values) == {"A": "1ü", "D": "1ü"}
    assert files_of(secrets, values) == {"b/c": "2ü".encode()}
