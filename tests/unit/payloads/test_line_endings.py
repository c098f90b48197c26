"""Scripts from Windows: shells get LF, and data is unchanged."""

from __future__ import annotations

import subprocess

import pytest
from pydantic import ValidationError

from scheduler_service.payloads.line_endings import normalise
from scheduler_service.payloads.program import ProgramPayload
from scheduler_service.payloads.shell_script import ShellScriptPayload


@pytest.mark.parametrize(
    ("script", "stored"),
    [
        ("echo a\n", "echo a\n"),
        ("if true; then\r\necho a\r\nfi\r\n", "if true; then\necho a\nfi\n"),
        ("echo a\r\necho b", "echo a\necho b"),
        ("echo a\r\r\necho b\r\r\n", "echo a\necho b\n"),
        ("echo a\necho b\r\nif true; then\r\necho c\nfi\r\n", "echo a\necho b\nif true; then\necho c\nfi\n"),
        ("printf 'a\rb'\n", "printf 'a\rb'\n"),
        ("printf 'a\rb'\r\n", "printf 'a\rb'\n"),
        ("echo a\recho b", "echo a\recho b"),
        ("\ufeff#!/bin/sh\necho a\n", "#!/bin/sh\necho a\n"),
        ("\ufeffecho a\r\n", "echo a\n"),
        ("echo \ufeff\n", "echo \ufeff\n"),
        ("cat <<EOF\r\na\r\nEOF\r\n", "cat <<EOF\na\nEOF\n"),
        ("cat <<EOF\na\r\nb\r\nEOF\necho c\r\n", "cat <<EOF\na\r\nb\r\nEOF\necho c\n"),
        ("cat <<-'A' <<\"B\"\nx\r\n\tA\r\ny\r\nB\r\necho c\r\n", "cat <<-'A' <<\"B\"\nx\r\n\tA\ny\r\nB\necho c\n"),
        ("cat <<<EOF\r\necho a\r\necho b\n", "cat <<<EOF\necho a\necho b\n"),
    ],
)
def test_crlf_becomes_lf_when_it_ends_a_line(script: str, stored: str) -> None:
    assert normalise(script) == stored
    assert normalise(stored) == stored
    assert ShellScriptPayload(type="shell_script", script=script).command().text == stored


def test_normalised_script_does_what_its_lf_form_does() -> None:
    script = (
        "set -e\r\nfor i in 1 2; do\r\n  case $i in\r\n"
        "  1) echo one;;\r\n  *) cat <<X\r\ntwo\r\nX\r\n  esac\r\ndone\r\n"
    )
    done = subprocess.run(["bash", "-c", normalise(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "one\ntwo\n"


@pytest.mark.parametrize("script", ["\ufeff", "\ufeff\r\n \r\n"])
def test_script_with_only_a_byte_order_mark_is_refused(script: str) -> None:
    with pytest.raises(ValidationError, match="must not be empty"):
        ShellScriptPayload(type="shell_script", script=script)


def test_stdin_and_arguments_keep_their_line_endings() -> None:
    command = ProgramPayload(type="program", argv=["cat", "a\r\n"], stdin="\ufeffa\r\nb\r").command()
    assert (command.stdin, command.argv) == ("\ufeffa\r\nb\r".encode(), ("cat", "a\r\n"))
