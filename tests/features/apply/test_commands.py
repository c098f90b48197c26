"""`scheduler apply` and `scheduler export` on a real service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit.commands import Service, up

JOB = """name: {name}
schedule_expr: 0 2 * * *
tags: [{tag}]
payload:
  type: shell_script
  script_file: {name}.sh
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with up(tmp_path_factory.mktemp("service")) as running:
        yield running


def write_jobs(directory: Path, *names: str, tag: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / f"{name}.yaml").write_text(JOB.format(name=name, tag=tag), encoding="utf-8")
        (directory / f"{name}.sh").write_text(f"echo {name}\n", encoding="utf-8")
    return directory


def call(service: Service, *words: object) -> tuple[int, list[str]]:
    done = service.shell.call(*words)
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


def test_plan_apply_change_prune_and_export(service: Service, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", "one", "two", tag="life")

    code, planned = call(service, "apply", jobs, "--dry-run", "--detailed-exitcode")
    assert (code, planned[0], planned[-1]) == (
        1,
        "+ create one",
        "Plan: 2 to create, 0 to change, 0 to delete, 0 unchanged.",
    )
    assert planned[1].startswith("    fires: never -> 20")
    assert call(service, "apply", jobs)[1][-1] == "Applied: 2 created, 0 changed, 0 deleted, 0 unchanged."
    code, again = call(service, "apply", jobs, "--detailed-exitcode")
    assert (code, again) == (0, ["No changes: 2 jobs are as the files say."])

    (jobs / "one.sh").write_text("echo one\necho more\n", encoding="utf-8")
    (jobs / "two.yaml").unlink()
    assert call(service, "apply", jobs, "--dry-run")[1][:4] == [
        "~ change one",
        "    payload.script:",
        "      @@ -1 +1,2 @@",
        "       echo one",
    ]
    prune = ("apply", jobs, "--prune", "--selector", "tag=life")
    code, refused = call(service, *prune)
    assert (code, refused[-1]) == (2, "scheduler: --yes: the plan deletes 1 jobs; repeat the command with --yes")
    assert call(service, *prune, "--yes")[1][-1] == "Applied: 0 created, 1 changed, 1 deleted, 0 unchanged."

    exported = tmp_path / "exported"
    wrote = f"Wrote 1 files to {exported}."
    assert call(service, "export", "--selector", "tag=life", "--output", exported) == (0, [wrote])
    assert "  script: |\n    echo one\n    echo more\n" in (exported / "one.yaml").read_text(encoding="utf-8")
    assert call(service, "apply", exported, "--detailed-exitcode")[0] == 0
    assert "exists already" in call(service, "export", "--selector", "tag=life", "--output", exported)[1][-1]


def test_errors_name_file_line_and_document(service: Service, tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path / "jobs", "one", tag="wrong")
    (jobs / "two.yaml").write_text(
        JOB.format(name="one", tag="wrong") + "priority: 99\n---\nname: three\nschedule_expr: 61 * * * *\n",
        encoding="utf-8",
    )
    code, lines = call(service, "apply", jobs)
    places = [line.removeprefix(f"scheduler: {jobs}/").partition(": document")[0] for line in lines]
    assert code == 2
    assert set(places) == {"two.yaml:1", "two.yaml:7", "two.yaml:9", "two.yaml:10"}
    assert any("#/schedule_expr: " in line and "61" in line for line in lines)


def test_plan_as_json_and_standard_input(service: Service) -> None:
    text = JOB.format(name="piped", tag="piped").replace("script_file: piped.sh", "script: 'true'")
    command = ("apply", "-", "--dry-run", "--json")
    done = service.shell.run(*command, stdin=None, input=text)
    plan = json.loads(done.stdout)
    assert (plan["create"], plan["applied"], plan["items"][0]["name"]) == (1, False, "piped")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.yaml"], "missing.yaml: cannot be read: No such file or directory"),
        (["."], "no job in ."),
        ([".", "--prune"], "write --prune and --selector together"),
        ([".", "--selector", "name=x"], "write tag=TAG or owner_id=OWNER"),
    ],
)
def test_wrong_usage_is_one_line(service: Service, words: list[str], message: str) -> None:
    code, lines = call(service, "apply", *words)
    assert (code, len(lines)) == (2, 1)
    assert message in lines[0]
