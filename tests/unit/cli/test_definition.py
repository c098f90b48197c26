"""From words on the command line to the JSON document of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler_service.cli.payload_choice import PayloadChoice
from scheduler_service.console.documents import merged, read_document, read_fields, read_variables
from scheduler_service.console.exit_codes import RefusedError


def choice(**typed: Any) -> PayloadChoice:
    return PayloadChoice(**({"python": None, "shell": None, "crunch": None, "program": False, "words": ()} | typed))


@pytest.mark.parametrize(
    ("word", "document"),
    [
        ("name=nightly report", {"name": "nightly report"}),
        ("timeout_seconds=60", {"timeout_seconds": 60}),
        ("schedule_expr=5m", {"schedule_expr": "5m"}),
        ("enabled=false", {"enabled": False}),
        ("end_at=null", {"end_at": None}),
        ('name="60"', {"name": "60"}),
        ('tags=["a", "b"]', {"tags": ["a", "b"]}),
        ("limits.memory_mb=64", {"limits": {"memory_mb": 64}}),
        ("description=", {"description": ""}),
        ("env.QUERY=a=b", {"env": {"QUERY": "a=b"}}),
        ("env.LEVEL=1", {"env": {"LEVEL": "1"}}),
        ('env.NAMES=["a"]', {"env": {"NAMES": '["a"]'}}),
        ("env.LEVEL=null", {"env": {"LEVEL": None}}),
        ('env={"LEVEL": "1"}', {"env": {"LEVEL": "1"}}),
        ("args.level=1", {"args": {"level": 1}}),
        ("jitter_seconds=NaN", {"jitter_seconds": "NaN"}),
    ],
)
def test_value_of_a_field_is_json_or_text(word: str, document: dict[str, Any]) -> None:
    assert read_fields([word]) == document


def test_fields_of_one_object_are_merged() -> None:
    document = read_fields(["limits.memory_mb=64", "limits.disk_mb=8"])

    assert document == {"limits": {"memory_mb": 64, "disk_mb": 8}}


@pytest.mark.parametrize("words", [["name"], ["=value"], ["limits=1", "limits.disk_mb=8"]])
def test_invalid_field_is_refused_by_name(words: list[str]) -> None:
    with pytest.raises(RefusedError) as refusal:
        read_fields(words)

    assert refusal.value.problems[0].field in words[-1]


def test_variable_is_always_text() -> None:
    assert read_variables(["A=1", "B=x=y"]) == {"A": "1", "B": "x=y"}


@pytest.mark.parametrize(
    ("typed", "payload"),
    [
        ({"python": "print(1)"}, {"type": "python_code", "code": "print(1)"}),
        ({"shell": "df"}, {"type": "shell_script", "script": "df"}),
        (
            {"crunch": "fibonacci", "words": ["n=10"]},
            {"type": "number_crunching", "operation": "fibonacci", "n": 10},
        ),
        ({"program": True, "words": ["ls", "-l"]}, {"type": "program", "argv": ["ls", "-l"]}),
        ({}, None),
    ],
)
def test_each_payload_kind_can_be_given_by_options(typed: dict[str, Any], payload: dict[str, Any] | None) -> None:
    assert choice(**typed).document() == payload


@pytest.mark.parametrize("typed", [{"python": "1", "shell": "2"}, {"python": "1", "words": ["loose"]}])
def test_options_of_several_payloads_are_refused(typed: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match="--crunch"):
        choice(**typed).document()


def test_code_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("print('hi')\n", encoding="utf-8")

    payload = choice(python=f"@{tmp_path / 'job.py'}").document()

    assert payload == {"type": "python_code", "code": "print('hi')\n"}


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_file_without_a_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "job.json").write_bytes(content)

    with pytest.raises(RefusedError, match=r"JSON|UTF-8"):
        read_document(str(tmp_path / "job.json"))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="No such file") as refusal:
        read_document(str(tmp_path / "job.json"))

    assert refusal.value.problems[0].field == str(tmp_path / "job.json")


def test_changes_are_merged_into_objects() -> None:
    document = {"name": "a", "limits": {"memory_mb": 64, "disk_mb": 8}}

    assert merged(document, {"limits": {"disk_mb": 16}}) == {"name": "a", "limits": {"memory_mb": 64, "disk_mb": 16}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("9" * 5000, "it holds a number of more than 4300 digits"),
        ("[" * 100_000, "nested too deeply"),
        ("NaN", "NaN is not JSON"),
    ],
)
def test_invalid_json_is_explained_in_plain_words(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "job.json").write_text(text)

    with pytest.raises(RefusedError) as refusal:
        read_document(str(tmp_path / "job.json"))

    assert refusal.value.problems[0].message.endswith(f"is not JSON: {reason}")
