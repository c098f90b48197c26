"""The files of a job: which are accepted, and with which words others are refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.services.test_definition import definition, refusals

LARGEST = "x" * (256 * 1024)


@pytest.mark.parametrize("name", ["data.csv", "deep/er/name with ü.txt", ".env", "jobs/job.py", "..a", "-"])
def test_relative_names_are_accepted(name: str) -> None:
    files = {name: {"text": "a,b\n"}}

    assert definition(files=files).model_dump(mode="json")["files"] == files


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/passwd", "is not a relative path"),
        ("a//b", "is not a relative path"),
        ("a/", "is not a relative path"),
        ("../a", "must not contain the parts . and .."),
        ("a/../../b", "must not contain the parts . and .."),
        ("./a", "must not contain the parts . and .."),
        ("a\nb", "not printable"),
        ("a\0b", "NUL"),
        ("\u202ea", "not printable"),
        ("ü" * 128, "more than 255 bytes"),
        ("job", "is reserved"),
        ("job.py", "is reserved"),
        (".scheduler/result", "is reserved"),
    ],
)
def test_other_names_are_refused(name: str, why: str) -> None:
    ((_, message),) = refusals(files={name: {"text": ""}})

    assert why in message


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ({"base64": "YQ"}, "is not base64: incorrect padding"),
        ({"base64": "YQ==\n"}, "is not base64"),
        ({"base64": "ü"}, "is not base64"),
        ({"text": "a", "base64": "YQ=="}, "write either text or base64; in a patch, null removes the other one"),
        ({}, "at least 1 item"),
        ({"text": "a\0"}, "NUL"),
        ({"text": LARGEST + "x"}, "has 262145 bytes, and the limit is 262144"),
        ({"base64": base64.b64encode(LARGEST.encode() + b"x").decode()}, "has 262145 bytes"),
        ({"hex": "61"}, "Input should be 'text' or 'base64'"),
    ],
)
def test_content_is_refused(file: dict[str, str], why: str) -> None:
    assert why in " ".join(message for _, message in refusals(files={"a": file}))


def test_files_are_refused_beyond_their_total() -> None:
    ((field, message),) = refusals(files={f"f{number}": {"text": LARGEST} for number in range(5)})

    assert (field, "take 1310720 bytes together" in message) == ("files", True)


def test_too_many_files_are_refused() -> None:
    ((field, message),) = refusals(files={f"f{number}": {"text": ""} for number in range(101)})

    assert (field, "at most 100 items" in message) == ("files", True)


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a/b/c/d")])
def test_name_cannot_be_a_file_and_a_directory(names: tuple[str, str]) -> None:
    files: dict[str, Any] = {name: {"text": ""} for name in names}

    ((field, message),) = refusals(files=files)

    assert (field, f"{names[0]!r} cannot be a file and the directory of {names[1]!r}" in message) == ("files", True)
