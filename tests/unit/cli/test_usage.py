"""Errors for wrong arguments of the command."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import pytest
import typer

from scheduler_service.cli.main import app, main


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["scheduler", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    code = end.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["runs", "show", "abc"], ["'RUN'", "(got 'abc')", "`scheduler runs show --help`"]),
        (["jobs", "list", "--page", "0"], ["'--page'", "greater than or equal to 1", "(got '0')"]),
        (["jbos"], ["No such command 'jbos'", "Did you mean 'jobs'?"]),
        (["jobs", "list", "--siez", "1"], ["--siez; did you mean --size or --wide?"]),
        (["jobs", "list", "--nothing-like-it"], ["--nothing-like-it; `scheduler jobs list --help`"]),
        (["jobs", "show"], ["Missing argument 'JOB'; `scheduler jobs show --help`"]),
        (["next", "5m", "--dst-gap", "jump"], ["'--dst-gap'", "'jump' is not one of 'run_after', 'skip'"]),
        (["jobs", "list", "--api-key", ""], ["--api-key: empty"]),
        (["jobs", "list", "--url", ""], ["--url: empty"]),
        (["jobs", "edit", "1"], ["no change given; write FIELD=VALUE"]),
    ],
)
def test_wrong_usage_is_one_line_with_value_and_remedy(
    arguments: list[str], parts: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(*arguments, monkeypatch=monkeypatch)

    [line] = capsys.readouterr().err.splitlines()
    assert code == 2
    assert line.startswith("scheduler: ")
    assert all(part in line for part in parts), line


def test_command_without_a_subcommand_shows_its_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run("jobs", monkeypatch=monkeypatch)

    said = capsys.readouterr()
    assert code == 2
    assert "Usage: scheduler jobs" in said.out
    assert said.err == ""


def test_version_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code = run("--version", monkeypatch=monkeypatch)

    assert (code, capsys.readouterr().out.partition(" ")[0]) == (0, "scheduler")


def test_next_shows_one_column_when_the_zone_is_utc(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("next", "@daily", "-n", "1", monkeypatch=monkeypatch)

    _, header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["UTC"]
    assert row.count("00:00:00") == 1


def test_next_accepts_options_for_clock_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("next", "30 2 * * *", "-z", "Europe/Berlin", "-n", "400", "--dst-fold", "both", monkeypatch=monkeypatch)

    assert "happens twice: it fires both times (dst.fold is both)" in capsys.readouterr().err


def _commands(group: typer.Typer) -> Iterator[str]:
    for command in group.registered_commands:
        yield str(inspect.getdoc(command.callback)).splitlines()[0]
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield str(inner.help or inner.typer_instance.info.help)
        yield from _commands(inner.typer_instance)


@pytest.mark.parametrize("line", list(_commands(app)))
def test_first_line_of_help_fits_a_list(line: str) -> None:
    assert line.endswith(".")
    assert len(line) <= 60
