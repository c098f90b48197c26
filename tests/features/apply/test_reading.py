"""Job files: what is read from them, what is refused with its line, and that exports read back as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from testkit.records import job_record

from scheduler_service.console.exit_codes import RefusedError
from scheduler_service.console.yaml_reader import read_json, read_yaml
from scheduler_service.console.yaml_writer import write_documents
from scheduler_service.features.apply.exporting import document_to_export
from scheduler_service.features.apply.file_names import file_names
from scheduler_service.features.apply.references import escaped, unescape
from scheduler_service.features.apply.source import Source, read_sources
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_mapping import columns_of

JOB = "name: a\nschedule_expr: 1h\npayload: {type: shell_script, script: 'true'}\n"


def sources_of(directory: Path, **files: str) -> list[Source]:
    for name, text in files.items():
        (directory / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return read_sources([str(directory)])


def faults_of(directory: Path, **files: str) -> list[str]:
    with pytest.raises(RefusedError) as refused:
        sources_of(directory, **files)
    return [f"{problem.field.removeprefix(f'{directory}/')}: {problem.message}" for problem in refused.value.problems]


def test_directories_are_read_with_all_their_documents(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "c.json").write_text('[{"name": "c"}, {"name": "d"}]')
    (tmp_path / ".hidden.yaml").write_text("name: hidden")
    found = sources_of(tmp_path, a_yaml=f"{JOB}---\n{JOB.replace('e: a', 'e: b')}---\n", notes_txt="no job")
    assert [(source.number, source.document["name"]) for source in found] == [(1, "a"), (2, "b"), (1, "c"), (1, "d")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("enabled: yes", "'yes' is true in YAML 1.1 and text in YAML 1.2; write true"),
        ("description: no", "'no' is false in YAML 1.1 and text in YAML 1.2; write false"),
        ("schedule_expr: 12:30", "'12:30' is a number to the base 60 in YAML 1.1"),
        ("priority: 010", "'010' is read as different numbers by YAML 1.1 and 1.2"),
        ("priority: 1_0", "'1_0' is a number in YAML 1.1 and a text in YAML 1.2"),
        ("timeout_seconds: 1e3", "'1e3' is not a number for every YAML program"),
        ("timeout_seconds: .inf", "'.inf' is not a number of JSON"),
        ("name: b", "appears twice in one object, first in line 1"),
        ("env: !!python/object:os.system {}", "has the tag"),
        ("priority: !!str 5", "has the tag"),
        ("env: {A: 'x ${HOME}'}", "contains ${…}, which nothing replaces"),
        ("tags: &again [*again]", "contains itself"),
    ],
)
def test_surprise_is_refused_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    (fault,) = faults_of(tmp_path, a_yaml=f"{JOB.replace('schedule_expr', 'x')}{line}\n")
    assert fault.startswith("a.yaml:4: document 1, #/")
    assert message in fault


def test_names_are_texts_whatever_yaml_makes_of_them(tmp_path: Path) -> None:
    (source,) = sources_of(tmp_path, a_yaml=JOB + "env: {on: a, no: b, 1: c, null: d}\n")
    assert source.document["env"] == {"on": "a", "no": "b", "1": "c", "null": "d"}


def test_dates_and_quoted_words_are_texts(tmp_path: Path) -> None:
    text = JOB + 'start_at: 2026-12-31T23:59:59Z\nend_at: 2027-01-01\ndescription: "no"\n'
    (source,) = sources_of(tmp_path, a_yaml=text)
    assert [source.document[name] for name in ("start_at", "end_at", "description")] == [
        "2026-12-31T23:59:59Z",
        "2027-01-01",
        "no",
    ]


def test_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, a_yaml=f"{JOB}enabled: yes\n---\n- 1\n", b_json='{"a": 1, "a": 2}', c_yaml="a: [1\n")
    assert [fault.partition(" ")[0] for fault in faults] == ["a.yaml:4:", "a.yaml:6:", "b.json:1:", "c.yaml:2:"]


def test_aliases_multiply_up_to_a_limit() -> None:
    (shared,) = read_yaml("a: &x {env: {A: b}}\nb:\n  <<: *x\n  c: 1\n")
    assert shared.value["b"] == {"env": {"A": "b"}, "c": 1}
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
        for before, name in zip("abcdefg", "bcdefgh", strict=True)
    )
    (parsed,) = read_yaml(bomb)
    (fault,) = parsed.faults
    assert fault.message == "has more than 50000 values; write fewer, or use fewer aliases"


def test_json_is_read_as_json() -> None:
    (parsed,) = read_json('{"a": 1e3,\n "c": "no"}')
    assert (parsed.value, parsed.lines["c",]) == ({"a": 1000.0, "c": "no"}, 2)
    (emoji,) = read_json('{"b": "\\ud83d\\ude00"}')
    assert emoji.value == {"b": "\U0001f600"}


class TestCodeFiles:
    """Code beside a job file."""

    JOB = "name: a\nschedule_expr: 1h\npayload:\n  type: python_code\n  code_file: {}\n"

    def test_text_of_a_file_is_the_code(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("print('${HOME}')\n")
        (source,) = sources_of(tmp_path, a_yaml=self.JOB.format("a.py"))
        assert source.document["payload"] == {"type": "python_code", "code": "print('${HOME}')\n"}
        assert source.place(("payload", "code")).startswith(f"{tmp_path}/a.yaml:5:")

    @pytest.mark.parametrize("name", ["../a.py", "/etc/hostname", "missing.py", "link.py", "''", "5", "binary.py"])
    def test_unusable_file_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "a.py").write_text("secret")
        directory = tmp_path / "jobs"
        directory.mkdir()
        (directory / "link.py").symlink_to(tmp_path / "a.py")
        (directory / "binary.py").write_bytes(b"\xff")
        (fault,) = faults_of(directory, a_yaml=self.JOB.format(name))
        assert fault.startswith("a.yaml:5: document 1, #/payload/code_file: ")

    def test_code_and_code_file_exclude_each_other(self, tmp_path: Path) -> None:
        (fault,) = faults_of(tmp_path, a_yaml=self.JOB.format("a.py") + "  code: '1'\n")
        assert "write either code or code_file" in fault


def test_dollar_signs_are_escaped_outside_of_code() -> None:
    document: dict[str, Any] = {"env": {"A": "${B} $${C} $D"}, "payload": {"script": "${E}"}}
    written = escaped(document)
    assert written == {"env": {"A": "$${B} $$${C} $D"}, "payload": {"script": "${E}"}}
    assert list(unescape(written)) == []
    assert written["env"]["A"] == "${B} $${C} $D"


def test_file_names_differ() -> None:
    documents = [{"name": "A b"}, {"name": "a/b"}, {"name": "…"}, {"name": "x", "external_key": "k/1"}]
    assert list(file_names(documents)) == ["a-b.yaml", "a-b-2.yaml", "job.yaml", "k-1.yaml"]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
WORDS = st.sampled_from(["no", "1:30", "0x1F", "1e3", "~", "null", "2026-01-01", "=", "<<", "- a", "a: b", "${A}"])
NAMES = st.text("abcXYZ_", min_size=1, max_size=8)
PAYLOADS = st.one_of(
    st.builds(lambda script: {"type": "shell_script", "script": script + "x"}, TEXTS),
    st.builds(lambda text: {"type": "python_code", "code": f"x = {text!r}\n"}, TEXTS),
    st.builds(lambda text: {"type": "program", "argv": ["echo", text], "stdin": text}, TEXTS | WORDS),
    st.just({"type": "number_crunching", "operation": "prime_numbers", "limit": 1000}),
)
DEFINITIONS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": WORDS | NAMES, "schedule_expr": st.sampled_from(["0 2 * * *", "5m", None, "@daily"]), "payload": PAYLOADS},
    optional={
        "external_key": NAMES,
        "owner_id": WORDS,
        "description": TEXTS,
        "tags": st.lists(NAMES, max_size=3),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin"]),
        "retry_policy": st.fixed_dictionaries({}, optional={"max_retries": st.integers(0, 5), "jitter": st.just(0.5)}),
        "limits": st.fixed_dictionaries({}, optional={"memory_mb": st.integers(16, 999), "network": st.booleans()}),
        "dst": st.fixed_dictionaries({}, optional={"gap": st.just("skip")}),
        "start_at": st.sampled_from(["2099-02-03T04:05:06Z", "2099-02-03T04:05:06.789Z"]),
        "timeout_seconds": st.sampled_from([300, 0.5, 1000.0]),
        "env": st.dictionaries(NAMES, TEXTS | WORDS, max_size=3),
        "args": st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers() | TEXTS | st.lists(TEXTS), max_size=3),
        "files": st.dictionaries(NAMES, st.builds(lambda text: {"text": text}, TEXTS), max_size=2),
        "misfire_policy": st.sampled_from(["skip", "fire_all"]),
    },
)


@settings(max_examples=150, deadline=None)
@given(DEFINITIONS)
def test_exported_job_is_read_back_without_a_change(document: dict[str, Any]) -> None:
    try:
        columns = columns_of(JobDefinition.model_validate(document))
    except ValueError:  # a text that a definition refuses, such as one of blanks
        return
    written = write_documents([escaped(document_to_export(job_record(**columns), {}))])
    (parsed,) = read_yaml(written)
    assert parsed.faults == [], written
    assert list(unescape(parsed.value)) == []
    assert columns_of(JobDefinition.model_validate(parsed.value)) == columns, written
    yaml.safe_load(written)  # other programs can read it, too
