"""The exit codes of the command, and the error lines on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from enum import IntEnum

import typer

from scheduler_service.errors import FieldProblem, InvalidInputError, SchedulerError, UnavailableError
from scheduler_service.telemetry.terminal_text import printable


class ExitCode(IntEnum):
    """The exit codes of the command. `jobs run --wait` returns the run's own exit code if it has one."""

    SUCCESS = 0
    # A run did not succeed and has no exit code, or the output cannot be written.
    FAILED = 1
    # Wrong usage, a wrong setting, or a request that the service refused.
    REFUSED = 2
    # The service does not respond, or it responds that it is unavailable.
    UNREACHABLE = 3
    # A run exceeded its timeout; the code of timeout(1).
    TIMED_OUT = 124
    # Ctrl-C, or a cancelled run: 128 + SIGINT, as shells report it.
    INTERRUPTED = 130


class RefusedError(SchedulerError):
    """The service refused the request. Each problem has its own entry; `field` is empty if no field is wrong."""

    def __init__(self, *problems: FieldProblem) -> None:
        """Keep every problem, so that each one is printed on its own line."""
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class UnreachableError(SchedulerError):
    """The service does not respond, or its response does not match this version of the command."""


def print_error(error: SchedulerError) -> ExitCode:
    """Write an error to standard error, one line for each problem, and return the exit code."""
    for line in _lines_of(error):
        sys.stderr.write(f"scheduler: {printable(line)}\n")
    return ExitCode.UNREACHABLE if isinstance(error, UnreachableError | UnavailableError) else ExitCode.REFUSED


def print_usage_error(error: typer.TyperException) -> int:
    """Write a usage error to standard error in one line, and return the exit code.

    A command without its subcommand prints nothing here, because its help is already shown.
    """
    if message := " ".join(_usage_problem(error).split()):
        sys.stderr.write(f"scheduler: {printable(message)}\n")
    return error.exit_code


def _usage_problem(error: typer.TyperException) -> str:
    if meant := getattr(error, "possibilities", None):
        return f"{error.message}; did you mean {' or '.join(sorted(meant))}?"
    message = f"{error.format_message().removesuffix('.')}{_rejected_value(error)}".replace("Value error, ", "")
    context = getattr(error, "ctx", None)
    if context is None or not message or message.endswith("?"):
        return message
    return f"{message}; `{context.command_path} --help` shows the usage"


def _rejected_value(error: typer.TyperException) -> str:
    """Return the rejected value, which the message of a pydantic error does not contain."""
    from pydantic import ValidationError  # noqa: PLC0415 (slow, and only needed here)

    if not isinstance(error.__cause__, ValidationError):
        return ""
    shown = _shown(error.__cause__.errors()[0]["input"])
    return "" if shown in str(error) else f" (got {shown})"


def _lines_of(error: SchedulerError) -> Iterator[str]:
    if isinstance(error, RefusedError | InvalidInputError):
        yield from map(_line_of, error.problems)
    else:
        yield str(error)


def _line_of(problem: FieldProblem) -> str:
    field = f"{problem.field}: " if problem.field else ""
    shown = "" if problem.value is None else _shown(problem.value)
    value = "" if shown in problem.message else f" (got {shown})"
    return f"{field}{problem.message}{value}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[:_MAX_VALUE_CHARACTERS]}…"


_MAX_VALUE_CHARACTERS = 80


def drop_output() -> None:
    """Redirect standard output to /dev/null after its reader has closed it.

    Otherwise the interpreter would try to flush the buffer at exit and print a traceback.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
