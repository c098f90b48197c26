"""What can go wrong for a user of the command, in exit codes and in lines on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from enum import IntEnum

import typer

from scheduler_service.errors import FieldProblem, InvalidInputError, SchedulerError, UnavailableError
from scheduler_service.telemetry.terminal_text import printable


class ExitCode(IntEnum):
    """How the command ends; `jobs run --wait` ends with the exit code of the run itself where it has one."""

    SUCCESS = 0
    # A run ended without success and never had an exit code, or there is no room for what a command writes.
    FAILED = 1
    # Wrong usage, a wrong setting, or the service refused what was asked.
    REFUSED = 2
    # The service does not answer, or it answers that it cannot work just now.
    UNREACHABLE = 3
    # A run took longer than its timeout: as timeout(1) has it.
    TIMED_OUT = 124
    # Ctrl-C, or the run was cancelled: 128 + SIGINT, as shells have it.
    INTERRUPTED = 130


class RefusedError(SchedulerError):
    """The service refused what was asked; one problem for each thing to mend, the field empty where there is none."""

    def __init__(self, *problems: FieldProblem) -> None:
        """Keep every problem, to show each on a line of its own."""
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class UnreachableError(SchedulerError):
    """The service does not answer, or not as this version of the command expects."""


def report(error: SchedulerError) -> ExitCode:
    """Write an error to standard error, one line for each problem, and return the exit code."""
    for line in _lines_of(error):
        sys.stderr.write(f"scheduler: {printable(line)}\n")
    return ExitCode.UNREACHABLE if isinstance(error, UnreachableError | UnavailableError) else ExitCode.REFUSED


def report_usage(error: typer.TyperException) -> int:
    """Write what is wrong with the arguments to standard error, in one line, and return the exit code.

    Where a command was named without its subcommand there is nothing to say: its help was shown.
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
    return f"{message}; `{context.command_path} --help` shows what can be written"


def _rejected_value(error: typer.TyperException) -> str:
    """Return what was written, which pydantic knows but does not tell."""
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
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


_LONGEST_VALUE = 80


def drop_output() -> None:
    """Write to standard output no more: nobody takes it.

    What is left in its buffer would be tried again when the interpreter ends, and fail with a traceback.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
